"""Running it: the command line, the scheduler's jobs, health, and the development site."""
