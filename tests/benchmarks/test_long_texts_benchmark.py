"""What a training takes before its first batch."""

from benchmarks import long_texts


def test_a_training_is_measured_up_to_its_first_batch(tmp_path):
    text = tmp_path / "text.txt"
    long_texts.write_text(text, 100_000, types=500)
    assert 450 < len(set(text.read_text().replace(",", "").replace(".", "").replace("!", "").split())) <= 500
    options = ["train", "lm", "--data", "text.txt", "--hidden", "8", "--steps", "8", "--out", "r"]
    found = long_texts.taken(options, tmp_path)
    assert 0.1 < found.seconds < 60
    assert 20 < found.megabytes < 1000
    assert (tmp_path / "r" / "last.safetensors").exists()
    assert not (tmp_path / "r" / "best.safetensors").exists()
