"""Word error rates with Whisper's English normaliser. Runs in the environment of score(): whisper_normalizer and jiwer."""
import json
import subprocess
import sys
import unicodedata
from pathlib import Path

PINS = ["whisper-normalizer==0.1.15", "jiwer==4.0.0"]
HERE = Path(__file__).resolve().parent


def score(pairs, python, language="en"):
    """pairs: (what was said, what was heard). Returns {"wer", "words", "errors"} over all, and "each": the same of each pair."""
    done = subprocess.run([python, __file__], input=json.dumps({"pairs": pairs, "language": language}), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main():
    import jiwer
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    asked = json.load(sys.stdin)
    english = EnglishTextNormalizer()
    plain = BasicTextNormalizer()

    def normal(text):
        return english(text) if asked["language"] == "en" else plain(unicodedata.normalize("NFC", text))

    each = []
    for said, heard in asked["pairs"]:
        found = jiwer.process_words(normal(said), normal(heard))
        errors = found.substitutions + found.deletions + found.insertions
        words = found.hits + found.substitutions + found.deletions
        each.append({"wer": errors / max(words, 1), "words": words, "errors": errors})
    words, errors = sum(one["words"] for one in each), sum(one["errors"] for one in each)
    json.dump({"wer": errors / max(words, 1), "words": words, "errors": errors, "each": each}, sys.stdout)


if __name__ == "__main__":
    main()
