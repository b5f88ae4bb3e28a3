"""The corpus: tables of raw HTTP that no frontend sends, by class, each case with the response that it must get."""
