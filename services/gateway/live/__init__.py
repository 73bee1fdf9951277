"""The live view: what the dashboard shows, kept in bounded memory from the topics. Pure: records in, rows out."""
