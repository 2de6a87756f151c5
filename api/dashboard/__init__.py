"""The dashboard: the pages on which an account's owner sees and changes what is theirs, a room a page."""
