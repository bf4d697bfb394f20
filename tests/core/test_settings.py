import pytest
from pydantic import ValidationError

from core.errors import UserError
from core.settings import Settings, declaration_of, declarations, flatten, parse_settings, warnings_of


def test_every_setting_has_title_and_help():
    found = list(declarations())
    assert len(found) > 40
    assert all(d.title and d.help.endswith((".", ")")) for d in found), [d.key for d in found if not d.help.endswith((".", ")"))]


def test_the_guides_variables_are_all_declared():
    listed = (declaration.variable for declaration in declarations())
    guide = "MODEL_PATH DATA_DIR REG_DIR OUT_DIR RUN_NAME SEED MAX_STEPS BATCH_SIZE GRAD_ACCUM RANK ALPHA UNET_LR RESOLUTION MIN_BUCKET_RESO MAX_BUCKET_RESO NOISE_OFFSET ENABLE_TE USE_REG TWO_PHASE_TE RESUME_FROM"
    ours = "PRICE_PER_HOUR"
    assert sorted(filter(None, listed)) == sorted([*guide.split(), *ours.split()])


def test_an_unknown_setting_suggests_the_nearest():
    with pytest.raises(UserError) as raised:
        declaration_of("train.step")
    assert "train.steps" in raised.value.fix
    with pytest.raises(UserError) as raised:
        declaration_of("lora.learning_rate")
    assert "optimizer.learning_rate" in raised.value.fix


def test_every_wrong_value_is_named_at_once_with_its_source():
    with pytest.raises(UserError) as raised:
        parse_settings({"lora.rank": 0, "train.steps": "many"}, {"lora.rank": "variable RANK", "train.steps": "--set train.steps"})
    assert "lora.rank = 0" in raised.value.what and "train.steps = 'many'" in raised.value.what
    assert "variable RANK" in raised.value.where and "--set train.steps" in raised.value.where


def test_a_resolution_outside_its_bucket_range_is_refused():
    with pytest.raises(UserError, match="bucket range"):
        parse_settings({"dataset.resolution": 1024, "dataset.max_bucket_resolution": 768})


def test_settings_are_frozen_and_closed():
    with pytest.raises(ValidationError):
        Settings().train.steps = 3
    with pytest.raises(ValidationError):
        Settings.model_validate({"train": {"stepps": 3}})


def test_settings_survive_a_file():
    settings = parse_settings({"train.steps": 12, "sampling.prompts": ("a", "b")})
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
    assert flatten(settings)["sampling.prompts"] == ("a", "b")


@pytest.mark.parametrize(("values", "steps"), [({}, 0), ({"text_encoder.enabled": True}, 25), ({"text_encoder.two_phase": True}, 13), ({"text_encoder.enabled": True, "text_encoder.two_phase": True}, 13)])
def test_the_text_encoder_is_trained_never_half_or_whole_of_the_steps(values, steps):
    settings = parse_settings(values | {"train.steps": 25, "optimizer.warmup_steps": 0})
    assert settings.text_encoder_steps == steps and settings.trains_text_encoder == (steps > 0)


def test_text_encoder_without_regularization_warns_as_the_guide_does():
    assert any("USE_REG=1" in text for text in warnings_of(parse_settings({"text_encoder.enabled": True})))
    assert warnings_of(parse_settings({"text_encoder.enabled": True, "regularization.enabled": True})) == []


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "a" * 65, "with space", "nul\x00"])
def test_a_run_name_that_could_lead_elsewhere_is_refused(name):
    with pytest.raises(UserError):
        parse_settings({"run.name": name})


@pytest.mark.parametrize(("key", "value"), [("sampling.prompts", ("fine", "half \ud83d")), ("regularization.folder", "data/\udc00"), ("run.warm_start", "\ud800")])
def test_half_a_character_is_refused_wherever_text_stands(key, value):
    with pytest.raises(UserError) as refused:
        parse_settings({key: value})
    assert "half a character" in refused.value.what and key in refused.value.what and str(refused.value).encode()
    assert parse_settings({"sampling.prompts": ("a whole one \U0001f600", "ö", "שלום")}).sampling.prompts[0].endswith("\U0001f600")


def test_a_setting_without_effect_warns():
    assert any("no effect" in text for text in warnings_of(parse_settings({"optimizer.lr_scheduler": "constant"})))
    assert any("not shorter" in text for text in warnings_of(parse_settings({"train.steps": 50, "optimizer.warmup_steps": 60})))
    assert warnings_of(Settings()) == []
