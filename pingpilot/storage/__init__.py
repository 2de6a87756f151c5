"""Looking after the database: migrating, watching, backing up and tidying it."""
