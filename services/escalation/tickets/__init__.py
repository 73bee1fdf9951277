"""The incident log's model: who will break its service level, or be raised or reopened."""
