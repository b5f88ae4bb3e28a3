"""The process: its commands, its application, its startup and its shutdown. Nothing else may import it."""
