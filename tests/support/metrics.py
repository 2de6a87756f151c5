"""What `/metrics` shows, read as Prometheus reads it."""

from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, str]]]


class Samples:
    """The samples of one answer, by name and labels."""

    def __init__(self, text: str) -> None:
        self.values: dict[Series, float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def of(self, name: str, **labels: str) -> float | None:
        """Return one sample, None where it is not shown."""
        return self.values.get((name, frozenset(labels.items())))

    def by_label(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return all samples of a name by the values of these labels."""
        named = {series: value for series, value in self.values.items() if series[0] == name}
        return {tuple(dict(pairs)[label] for label in labels): value for (_, pairs), value in named.items()}
