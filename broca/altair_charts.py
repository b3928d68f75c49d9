"""Charts that the server drew up, as charts of Altair. Altair is loaded when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from .errors import AnswerNotUnderstood, PackageMissing
from .steps import Plan, QueryValue, get

if TYPE_CHECKING:
    import altair as alt

    AnyChart: TypeAlias = (
        alt.Chart | alt.LayerChart | alt.FacetChart | alt.ConcatChart | alt.HConcatChart | alt.VConcatChart
    )


def drawn(path: str, query: Mapping[str, QueryValue]) -> Plan[AnyChart]:
    """The chart whose Vega-Lite specification stands at a path. Raises PackageMissing before anything is sent."""
    altair = _altair()
    return chart_of((yield from get(path, query)), altair)


def chart_of(specification: Mapping[str, Any], altair: Any = None) -> AnyChart:
    """A Vega-Lite specification as a chart. Raises AnswerNotUnderstood, PackageMissing."""
    altair = altair or _altair()
    try:
        return altair.Chart.from_dict(dict(specification))  # type: ignore[no-any-return]
    except (TypeError, ValueError, altair.utils.schemapi.SchemaValidationError) as error:
        raise AnswerNotUnderstood("a chart came back that this version of Altair does not know") from error


def _altair() -> Any:
    try:
        import altair
    except ModuleNotFoundError as error:
        if error.name != "altair":
            raise
        raise PackageMissing("an Altair chart", "altair", extra="notebook") from None
    return altair
