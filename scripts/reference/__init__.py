"""What is made of the models, the commands and the replies, for people and editors.

`.venv/bin/python -m scripts.reference` writes all of it anew; `tests/test_reference.py`
says when that was forgotten. What a setting is for stands below it in `relay/config`.
"""
