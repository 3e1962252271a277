"""Steps from one layout of the database to the next, in Alembic's form."""
