"""What a request may say, who says it, and how often: settled before a view has its turn."""
