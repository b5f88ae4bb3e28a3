"""The process: its commands, its application, its startup and its end. Nothing else may import it."""
