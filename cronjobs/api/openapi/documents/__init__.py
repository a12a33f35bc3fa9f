"""The documents that are answered and sent, each as a serializer that serializes nothing."""
