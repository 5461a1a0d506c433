"""How the witness's tables came to be what they are; run by `broker.service.database.migrate`."""
