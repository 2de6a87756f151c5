"""The whole program: real processes, signals and databases, with the platforms as stand-ins."""
