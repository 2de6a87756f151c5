"""Events from acceptance on: the group commit, routing, notices, and what their owner sees of them later."""
