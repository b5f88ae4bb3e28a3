"""The corpus: raw HTTP that no frontend sends, in tables by class, each case with the answer that it must get."""
