"""Floor 1: what is true, in PostgreSQL. The only rooms that import SQLAlchemy; statements are set-wise, by subject."""
