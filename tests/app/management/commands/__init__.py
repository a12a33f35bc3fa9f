"""See `tests.app.management`."""
