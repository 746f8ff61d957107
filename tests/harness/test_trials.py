import pytest
import yaml

from bench.trials import read_trials, trials_table


@pytest.fixture
def write(tmp_path):
    def make(**changes):
        values = {
            "title": "tried",
            "baseline": "plain",
            "notes": ["300 steps"],
            "trials": [
                {"setting": "plain", "task": "rain", "seed": 0, "psnr_db": 30.0},
                {"setting": "plain", "task": "rain", "seed": 1, "psnr_db": 31.0},
                {"setting": "other", "task": "rain", "seed": 1, "psnr_db": 30.5},
            ],
        }
        path = tmp_path / "trials.yaml"
        path.write_text(yaml.safe_dump(values | changes))
        return path

    return make


def test_settings_stand_beside_their_baseline(write):
    table = trials_table(read_trials(write()))
    assert table.header == ("setting", "rain, seed 0", "rain, seed 1")
    assert table.rows == (("plain", "30.00 (+0.00)", "31.00 (+0.00)"), ("other", "-", "30.50 (-0.50)"))
    assert table.notes[1] == "300 steps" and "`plain`" in table.notes[0]


def test_a_wrong_key_is_named(write):
    with pytest.raises(ValueError, match="titel"):
        read_trials(write(titel="x"))
