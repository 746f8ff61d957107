"""The ablations of SLKD: each turns one switch, to say what that part is worth."""

from copy import copy
from typing import Any, NamedTuple

from pydantic import create_model
from pydantic.fields import FieldInfo

from bench.distiller import METHODS, Role
from slkd.method import SLKD, SLKDConfig


class Ablation(NamedTuple):
    """A variant of SLKD.

    Attributes:
        question: What its result answers.
        switch: The settings in which it differs from SLKD.
        teacher_roles: The teachers that are left.
    """

    question: str
    switch: dict[str, Any]
    teacher_roles: tuple[Role, ...] = SLKD.teacher_roles


ABLATIONS = {
    "slkd_kl": Ablation(
        "The image-level term alone: what do features add?", {"nc_weight": 0.0, "et_weight": 0.0}, ("removal",)
    ),
    "slkd_drl": Ablation("Degradation removal learning alone, without L_ET.", {"et_weight": 0.0}, ("removal",)),
    "slkd_irl": Ablation("Image reconstruction learning alone, without L_NC.", {"nc_weight": 0.0}),
    "slkd_plain": Ablation("Identity extractors: do BRISQUE and PIQE matter?", {"extractors": "identity"}),
    "slkd_degraded_b": Ablation(
        "Teacher B sees the degraded image: does the clean one matter?", {"teacher_b_sees": "degraded"}
    ),
    "slkd_no_kl": Ablation("Features alone, without the image-level term.", {"kl_weight": 0.0}),
    "slkd_restorer_b": Ablation(
        "The other reading of teacher B: the removal teacher on the clean image.",
        {"teacher_b": "restorer"},
        ("removal",),
    ),
    "slkd_absolute": Ablation("The other reading of the weights: absolute, not balanced.", {"balance": "none"}),
}
"""By registered name."""


def _variant(name: str, ablation: Ablation) -> type[SLKD]:
    """The subclass of SLKD whose defaults are those of an ablation."""
    title = "".join(part.capitalize() for part in name.split("_"))
    changes: dict[str, Any] = {key: _with_default(key, value) for key, value in ablation.switch.items()}
    # Without the KL term there is nothing that an oracle could teach; with other weights its control is another.
    control = {"slkd_no_kl": None, "slkd_absolute": name}.get(name, SLKD.control)
    members = {
        "__doc__": f"{ablation.question}\n\n{SLKD.__doc__}",
        "__module__": __name__,
        "Config": create_model(f"{title}Config", __base__=SLKDConfig, __module__=__name__, **changes),
        "teacher_roles": ablation.teacher_roles,
        "control": control,
        "distances": () if name == "slkd_no_kl" else SLKD.distances,
        "reference": SLKD.reference._replace(title=f"SLKD, an ablation: {ablation.question}"),
    }
    return type(title, (SLKD,), members)


def _with_default(key: str, value: Any) -> tuple[Any, FieldInfo]:
    """A setting of SLKD, with its range, and another default."""
    field = copy(SLKDConfig.model_fields[key])
    field.default = value
    return field.annotation, field


for _name, _ablation in ABLATIONS.items():
    METHODS.register(_name)(_variant(_name, _ablation))
