"""The description of the API: OpenAPI 3.1 by drf-spectacular, imported only when somebody asks for it."""
