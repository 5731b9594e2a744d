"""The service: Kafka to model to Redis, with the position inside the model's checkpoint."""
