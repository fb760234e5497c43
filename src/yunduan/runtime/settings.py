"""Settings, typed and documented: built in < `yunduan.toml` < environment; what does not fit is a clear error at start."""

import difflib
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from yunduan.kernel.money import EXPONENTS
from yunduan.runtime.writer import Limits

PREFIX = "YUNDUAN_"
FILE_VARIABLE = "YUNDUAN_SETTINGS"
"""The environment variable that names another file than `yunduan.toml` in the working folder."""
FILE_NAME = "yunduan.toml"
EXIT_CODE = 2
HOLD_MS_MAX = 14 * 86_400_000
"""How long stock may be held at most for a payment."""


class SettingsError(Exception):
    """A setting is unknown or has a value that does not fit; the text names it and says what is allowed."""


def _unit(unit: str) -> dict[str, str]:
    return {"unit": unit}


class StoreSettings(Struct, frozen=True, kw_only=True):
    """Where state is kept."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(sqlite:.+|postgresql://.+)?$",
            description="`sqlite:<file>` or `postgresql://…`; empty: `yunduan.sqlite` in the data folder.",
        ),
    ] = ""
    cache_mib: Annotated[
        int, Meta(ge=1, le=65_536, description="Page cache of the embedded store, readers' included.", extra=_unit("MiB"))
    ] = 64
    map_mib: Annotated[
        int,
        Meta(
            ge=0,
            le=16_777_216,
            description="How much of the embedded store's file readers see mapped into memory instead of copying it page by page, for a"
            " market larger than the caches. The system takes that memory back when it wants; a page that the disk cannot read then ends"
            " the process, not one answer.",
            extra=_unit("MiB"),
        ),
    ] = 0
    lists_mib: Annotated[
        int,
        Meta(
            ge=0,
            le=65_536,
            description="Memory for the first pages of lists, in each process that answers queries: 28 MiB hold those of 3,000 shops.",
            extra=_unit("MiB"),
        ),
    ] = 28


class HttpSettings(Struct, frozen=True, kw_only=True):
    """How the cloud is reached."""

    host: Annotated[str, Meta(min_length=1, max_length=255, description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="Port to listen on; 0 picks a free one.")] = 8000
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^\s/]+)?$",
            description="What phones reach this cloud by, without a path; empty: host and port, or this machine where all are listened on.",
        ),
    ] = ""
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses, or networks, of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; nobody's by default."
        ),
    ] = ()
    connections_max: Annotated[int, Meta(ge=1, le=100_000, description="Open connections; one more is answered 503.")] = 2_048
    backlog: Annotated[int, Meta(ge=1, le=65_535, description="Connections that the system may hold before they are accepted.")] = 2_048
    keep_alive_s: Annotated[int, Meta(ge=1, le=3_600, description="How long an idle connection stays open.", extra=_unit("s"))] = 15
    head_bytes_max: Annotated[
        int,
        Meta(
            ge=1_024,
            le=65_536,
            description="Size of a request's line and headers together; larger ones are answered 431.",
            extra=_unit("bytes"),
        ),
    ] = 16_384
    head_ms_max: Annotated[
        int, Meta(ge=100, le=600_000, description="How long a request's headers may take to arrive.", extra=_unit("ms"))
    ] = 10_000
    body_bytes_max: Annotated[
        int, Meta(ge=1_024, le=1_048_576, description="Size of a request's body; a larger one is answered 413.", extra=_unit("bytes"))
    ] = 65_536
    body_ms_max: Annotated[
        int, Meta(ge=100, le=600_000, description="How long a body may take to arrive; a slower one is answered 408.", extra=_unit("ms"))
    ] = 10_000
    stall_ms_max: Annotated[
        int,
        Meta(ge=100, le=600_000, description="How long a client may not read what it is sent before it is hung up on.", extra=_unit("ms")),
    ] = 30_000
    drain_s: Annotated[int, Meta(ge=1, le=600, description="How long open requests may take to end after SIGTERM.", extra=_unit("s"))] = 15
    readers: Annotated[int, Meta(ge=0, le=64, description="Processes that serve callers beside the one that writes; 0: that one does.")] = 0

    def url(self) -> str:
        """What is listened on."""
        return f"http://{self.host}:{self.port}"

    def __post_init__(self) -> None:
        """Refuse a proxy without an address: nothing it says would be believed, and every caller would seem to be the proxy."""
        for proxy in self.trusted_proxies:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"http.trusted_proxies: {proxy!r} is neither an address nor a network such as 10.0.0.0/8") from error

    def listens_everywhere(self) -> bool:
        """Whether the host stands for every address of the machine, and so for none that anybody could be told."""
        try:
            return ip_address(self.host).is_unspecified
        except ValueError:
            return False


class LogSettings(Struct, frozen=True, kw_only=True):
    """What is logged, and how."""

    format: Annotated[Literal["console", "json"], Meta(description="Lines for people, or one JSON object a line.")] = "console"
    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="The least important level that is written.")] = "info"
    slow_ms: Annotated[int, Meta(ge=1, le=60_000, description="A request that takes longer is logged.", extra=_unit("ms"))] = 250


class WriterSettings(Struct, frozen=True, kw_only=True):
    """How much the writer takes at once and how long anything may wait."""

    batch_commands: Annotated[int, Meta(ge=1, le=10_000, description="Commands in one transaction.")] = 256
    batch_ms: Annotated[float, Meta(gt=0, le=1_000, description="Time that a batch's statements may take.", extra=_unit("ms"))] = 20.0
    queue_commands: Annotated[int, Meta(ge=1, le=1_000_000, description="Commands that may wait; one more is answered 503.")] = 8_192
    queue_wait_ms: Annotated[
        float, Meta(gt=0, le=60_000, description="When the oldest has waited longer, new ones are answered 503.", extra=_unit("ms"))
    ] = 1_000.0
    deadline_ms: Annotated[
        float, Meta(gt=0, le=600_000, description="A command that has waited longer is dropped, not begun.", extra=_unit("ms"))
    ] = 10_000.0
    alarm_retry_ms: Annotated[
        int,
        Meta(
            ge=1_000,
            le=86_400_000,
            description="Pause before an alarm whose command broke rings again; 4, 9, … and at most 60 times as long when it breaks again.",
            extra=_unit("ms"),
        ),
    ] = 60_000

    def limits(self) -> Limits:
        """The same, as the writer wants it."""
        return Limits(**{name: getattr(self, name) for name in Limits.__struct_fields__})


class AlarmSettings(Struct, frozen=True, kw_only=True):
    """When alarms ring."""

    gap_ms_max: Annotated[
        int,
        Meta(
            ge=60_000,
            le=10 * 366 * 86_400_000,
            description="How long the cloud may have been away before somebody must confirm the time.",
            extra=_unit("ms"),
        ),
    ] = 7 * 86_400_000


_SENDER = r"^([A-Za-z_][\w.]*:[A-Za-z_]\w*)?(?![\s\S])"


class CodeSettings(Struct, frozen=True, kw_only=True):
    """How codes reach people."""

    sender: Annotated[
        str,
        Meta(
            pattern=_SENDER,
            description="What carries codes and other letters: `module:factory` of a sender; empty: they lie in the development mailbox.",
        ),
    ] = ""


class NoticeSenderSettings(Struct, frozen=True, kw_only=True):
    """How notices reach people who do not look into the app."""

    email: Annotated[
        str,
        Meta(
            pattern=_SENDER,
            description="What carries notices by e-mail: `module:factory` of a sender; empty: they lie in the development mailbox.",
        ),
    ] = ""
    sms: Annotated[
        str,
        Meta(
            pattern=_SENDER,
            description="What carries notices by text message: `module:factory` of a sender; empty: they lie in the development mailbox.",
        ),
    ] = ""


class MailboxSettings(Struct, frozen=True, kw_only=True):
    """Codes in development."""

    shown: Annotated[
        bool, Meta(description="Whether the development mailbox is a page at `/development/mailbox`; never in production.")
    ] = False


class PhoneSettings(Struct, frozen=True, kw_only=True):
    """Numbers without a country."""

    region: Annotated[str, Meta(pattern="^[A-Z]{2}$", description="Region of phone numbers given without `+` (ISO 3166-1).")] = "CN"


class MarketSettings(Struct, frozen=True, kw_only=True):
    """The market that this deployment serves."""

    country: Annotated[str, Meta(pattern="^[A-Z]{2}$", description="Country of the market (ISO 3166-1).")] = "CN"
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="Currency of the market (ISO 4217).")] = "CNY"
    language: Annotated[
        str, Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", description="Language that texts fall back to (BCP 47).")
    ] = "zh-CN"
    time_zone: Annotated[str, Meta(min_length=1, max_length=64, description="Time zone of the market's business day (IANA).")] = (
        "Asia/Shanghai"
    )
    reviews_goods: Annotated[
        bool, Meta(description="Whether operators approve goods before they are sold, and again after they were described anew.")
    ] = False
    compared_after_h: Annotated[
        int,
        Meta(
            ge=0,
            le=720,
            description="How long, within thirty days, a price was charged that another may be compared with.",
            extra=_unit("hours"),
        ),
    ] = 24
    dispatch_days: Annotated[
        int,
        Meta(ge=1, le=365, description="How long after its payment an order has to be shipped, or it is called off.", extra=_unit("days")),
    ] = 30
    dispatch_longer_days: Annotated[
        int, Meta(ge=1, le=365, description="For how much longer its buyer may agree to wait, once.", extra=_unit("days"))
    ] = 15
    came_back_days: Annotated[
        int,
        Meta(
            ge=1,
            le=90,
            description="How long after a parcel has come back its shop may send it again, before its buyer has the money back.",
            extra=_unit("days"),
        ),
    ] = 7
    return_days: Annotated[
        int, Meta(ge=0, le=365, description="How long after their receipt goods may be given back.", extra=_unit("days"))
    ] = 7
    return_excluded: Annotated[
        tuple[str, ...], Meta(description="Categories, by id, whose goods are given back only for a fault of them; all below them too.")
    ] = ()
    return_postage_max: Annotated[
        int,
        Meta(ge=0, le=100_000_000, description="The most that a shop pays back for goods that are sent back, in minor units."),
    ] = 3_000
    return_paid_by: Annotated[
        Literal["buyer", "shop"], Meta(description="Who pays the way back of goods that have no fault; for a fault it is the shop.")
    ] = "buyer"

    def __post_init__(self) -> None:
        """Refuse a currency or a time zone that does not exist."""
        if self.currency not in EXPONENTS:
            raise ValueError("market.currency: not a currency of ISO 4217")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("market.time_zone: not a time zone of the IANA database") from error


class SandboxSettings(Struct, frozen=True, kw_only=True):
    """A payment channel that behaves like a real one and moves no real money."""

    enabled: Annotated[
        bool | None,
        Meta(
            description="Whether the channel `sandbox` can be paid with; never in production. Unsaid, it can, and the cloud is not served"
            " where others than this machine may come."
        ),
    ] = None
    loses: Annotated[int, Meta(ge=0, le=1000, description="Notifications that are never sent, of a thousand.", extra=_unit("permille"))] = 0
    doubles: Annotated[
        int, Meta(ge=0, le=1000, description="Notifications that are sent twice, of a thousand.", extra=_unit("permille"))
    ] = 0
    delays: Annotated[
        int, Meta(ge=0, le=1000, description="Notifications that come ten minutes late, of a thousand.", extra=_unit("permille"))
    ] = 0
    dawdles: Annotated[
        int, Meta(ge=0, le=1000, description="Payments that take twenty minutes to be collected, of a thousand.", extra=_unit("permille"))
    ] = 0
    unreachable: Annotated[
        int, Meta(ge=0, le=1000, description="Questions and requests that find nobody there, of a thousand.", extra=_unit("permille"))
    ] = 0
    refuses_refunds: Annotated[int, Meta(ge=0, le=1000, description="Refunds that it refuses, of a thousand.", extra=_unit("permille"))] = 0
    refuses_payouts: Annotated[int, Meta(ge=0, le=1000, description="Payouts that it refuses, of a thousand.", extra=_unit("permille"))] = 0
    custodian: Annotated[
        bool,
        Meta(
            description="Whether there is a second channel beside it, `custodian`, which keeps what it collects until an order is settled,"
            " and then splits it between the shop and the marketplace."
        ),
    ] = False
    custodian_days: Annotated[int, Meta(ge=1, le=3650, description="How long the custodian keeps money at most.", extra=_unit("days"))] = (
        180
    )
    refuses_splits: Annotated[
        int, Meta(ge=0, le=1000, description="Splits that the custodian refuses, of a thousand.", extra=_unit("permille"))
    ] = 0
    refuses_returns: Annotated[
        int, Meta(ge=0, le=1000, description="Returns of what it has split that it refuses, of a thousand.", extra=_unit("permille"))
    ] = 0

    @property
    def is_on(self) -> bool:
        """Whether it can be paid with."""
        return self.enabled is not False


class PaymentSettings(Struct, frozen=True, kw_only=True):
    """How long payments are waited for."""

    waits: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]{0,15}\.[a-z][a-z0-9]{0,15}=[0-9]{1,5}\+[0-9]{1,5}(?![\s\S])")], ...],
        Meta(
            description="Methods of payment for which stock is held another time than the channel says, as `channel.method=minutes+more`:"
            " how long, and for how much longer, once, when the money is on its way by then; such as `sandbox.slip=4320+2880`."
        ),
    ] = ()

    hold_assumed_days: Annotated[
        int,
        Meta(
            ge=0,
            le=3650,
            description="How long a provider is taken to keep money that does not say until when it does, from when it has collected it:"
            " the longest time of its contract. With 0 nobody is warned, and no order comes to its end by that.",
            extra=_unit("days"),
        ),
    ] = 180

    hold_warned_days: Annotated[
        int,
        Meta(
            ge=2,
            le=90,
            description="How long before a provider keeps money of an order no longer operators and the shop are warned; a day before, the"
            " order is settled, or its money given back, as far as it has come.",
            extra=_unit("days"),
        ),
    ] = 7

    def times(self) -> dict[tuple[str, str], tuple[int, int]]:
        """The same by channel and method, in milliseconds."""
        found = {}
        for wait in self.waits:
            method, _, minutes = wait.partition("=")
            hold, more = (int(part) * 60_000 for part in minutes.split("+"))
            channel, _, name = method.partition(".")
            found[channel, name] = hold, more
        return found

    def __post_init__(self) -> None:
        """Refuse a time that is none, or so long that the stock were as good as sold."""
        for hold, more in self.times().values():
            if not 60_000 <= hold <= HOLD_MS_MAX or more > HOLD_MS_MAX:
                raise ValueError("payment.waits: a payment is waited for a minute to fourteen days, and for fourteen days more at most")


class PayoutSettings(Struct, frozen=True, kw_only=True):
    """Money that leaves."""

    approve_above: Annotated[
        int,
        Meta(
            ge=0,
            le=10**15,
            description="A payout of more has to be approved by two operators; in the minor unit of its currency.",
            extra=_unit("minor units"),
        ),
    ] = 5_000_000
    payee_waits_h: Annotated[
        int,
        Meta(
            ge=0,
            le=720,
            description="Nothing is paid out to an account that was named less long ago: its owner is told, and has time to notice.",
            extra=_unit("hours"),
        ),
    ] = 24


class WalletSettings(Struct, frozen=True, kw_only=True):
    """Wallets of people, and what may go into and out of each in one business day."""

    enabled: Annotated[bool, Meta(description="Whether wallets are topped up and paid with; what is in one can be withdrawn.")] = True
    in_a_day_basic: Annotated[
        int,
        Meta(ge=0, le=10**15, description="Topped up by somebody of whom no bank account has been confirmed.", extra=_unit("minor units")),
    ] = 100_000_000
    in_a_day_verified: Annotated[
        int, Meta(ge=0, le=10**15, description="Topped up by somebody who has a confirmed bank account.", extra=_unit("minor units"))
    ] = 1_000_000_000
    out_a_day: Annotated[int, Meta(ge=0, le=10**15, description="Withdrawn, to a confirmed bank account.", extra=_unit("minor units"))] = (
        1_000_000_000
    )


class SearchSettings(Struct, frozen=True, kw_only=True):
    """How goods are found."""

    keeper: Annotated[
        Literal["process", "here", "nobody"],
        Meta(
            description="Who keeps the index: a `process` that `serve` starts, the cloud's own loop (`here`), or `nobody`, where another"
            " server on the same folder does."
        ),
    ] = "process"
    query_ms_max: Annotated[int, Meta(ge=10, le=10_000, description="How long one question to the index may take.", extra=_unit("ms"))] = (
        250
    )


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that can be set."""

    data: Annotated[str, Meta(min_length=1, max_length=4_096, description="Folder of the embedded store, keys and copies.")] = "data"
    store: StoreSettings = StoreSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    writer: WriterSettings = WriterSettings()
    alarms: AlarmSettings = AlarmSettings()
    codes: CodeSettings = CodeSettings()
    notices: NoticeSenderSettings = NoticeSenderSettings()
    mailbox: MailboxSettings = MailboxSettings()
    phone: PhoneSettings = PhoneSettings()
    market: MarketSettings = MarketSettings()
    payment: PaymentSettings = PaymentSettings()
    payouts: PayoutSettings = PayoutSettings()
    wallet: WalletSettings = WalletSettings()
    sandbox: SandboxSettings = SandboxSettings()
    search: SearchSettings = SearchSettings()

    def sqlite_path(self) -> Path | None:
        """The file of the embedded store, or nothing when the store is a server."""
        if self.store.url.startswith("postgresql:"):
            return None
        return Path(self.store.url.removeprefix("sqlite:")) if self.store.url else Path(self.data) / "yunduan.sqlite"

    def public_url(self) -> str:
        """What this cloud is reached by, without a slash at the end; by this machine alone, when it listens on every address."""
        host = "localhost" if self.http.listens_everywhere() else self.http.host
        host = f"[{host}]" if ":" in host else host
        return self.http.public_url or f"http://{host}:{self.http.port}"

    def is_reached_by_others(self) -> bool:
        """Whether others than this machine may come: to the address that is listened on, to the public one, or through a proxy."""
        return not (_is_loopback(self.http.host) and _is_loopback(_host_of(self.http.public_url))) or bool(self.http.trusted_proxies)

    def open_to_strangers(self) -> dict[str, str]:
        """What is meant for development alone and is on though others may come: each setting, and what it lets them do."""
        if not self.is_reached_by_others():
            return {}
        does = {
            "sandbox.enabled": (self.sandbox.is_on, "whoever pays with the sandbox pays nothing"),
            "mailbox.shown": (self.mailbox.shown, "whoever reads the mailbox signs in as anybody"),
        }
        return {key: what for key, (is_on, what) in does.items() if is_on}


def _host_of(url: str) -> str:
    """The host that an address names, this machine's own when it is empty; nobody's when it cannot be read."""
    try:
        return urlsplit(url).hostname or ("" if url else "localhost")
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Known(Struct, frozen=True, kw_only=True):
    """One setting: its key, what it may be, and what it is when nobody says otherwise."""

    key: str
    type: Any
    default: Any
    text: str
    unit: str
    allowed: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.key.upper().replace(".", "__")


def known_settings() -> dict[str, Known]:
    """Every setting by its key, in the order of their declaration."""
    return {known.key: known for known in _known(Settings, "")}


def load_settings(*, file: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; raises `SettingsError` for the first one that does not fit.

    `file` is `yunduan.toml` in the working folder unless it or the variable `YUNDUAN_SETTINGS` names another, which must exist.
    """
    environ = os.environ if environ is None else environ
    known = known_settings()
    given: dict[str, Any] = {}
    for key, value, source in (*_from_file(file, environ), *_from_environment(environ, known)):
        given[key] = _fit(known, key, value, source)
    nested: dict[str, Any] = {}
    for key, value in given.items():
        *groups, name = key.split(".")
        inside = nested
        for group in groups:
            inside = inside.setdefault(group, {})
        inside[name] = value
    try:
        return msgspec.convert(nested, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(str(error).partition(" - at ")[0]) from error


def settings_or_exit(*, file: Path | None = None) -> Settings:
    """Read the settings, or say what is wrong and end the process with exit code 2."""
    try:
        return load_settings(file=file)
    except SettingsError as error:
        _leave(str(error))


def reference() -> str:
    """The reference of all settings as a Markdown table."""
    lines = ["| setting | environment | default | allowed | what it is |", "| --- | --- | --- | --- | --- |"]
    for known in known_settings().values():
        default = "unsaid" if known.default is None else f"`{msgspec.json.encode(known.default).decode()}`"
        unit = f" ({known.unit})" if known.unit else ""
        cells = (f"`{known.key}`", f"`{known.variable}`", f"{default}{unit}", known.allowed.replace("|", "\\|"), known.text)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _leave(text: str) -> NoReturn:
    sys.stderr.write(f"yunduan: {text}\n")
    raise SystemExit(EXIT_CODE)


def _known(group: type[Struct], prefix: str) -> Iterator[Known]:
    for field in msgspec.structs.fields(group):
        key = prefix + field.name
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            yield from _known(field.type, f"{key}.")
            continue
        meta = next(part for part in get_args(field.type) if isinstance(part, Meta))
        yield Known(
            key=key,
            type=field.type,
            default=field.default,
            text=meta.description or "",
            unit=(meta.extra or {}).get("unit", ""),
            allowed=_allowed(msgspec.inspect.type_info(field.type)),
        )


def _allowed(info: msgspec.inspect.Type) -> str:
    if isinstance(info, msgspec.inspect.Metadata):
        return _allowed(info.type)
    words: dict[type, Callable[[Any], str]] = {
        msgspec.inspect.IntType: lambda it: f"a whole number from {it.ge} to {it.le}",
        msgspec.inspect.FloatType: lambda it: f"a number above {it.gt:g}, up to {it.le:g}",
        msgspec.inspect.BoolType: lambda _: "true or false",
        msgspec.inspect.UnionType: lambda it: _allowed(it.types[0]),
        msgspec.inspect.LiteralType: lambda it: " or ".join(f"`{value}`" for value in it.values),
        msgspec.inspect.VarTupleType: lambda _: "a list of texts (in the environment: divided by commas)",
        msgspec.inspect.StrType: lambda it: f"text of the form `{it.pattern}`" if it.pattern else "text",
    }
    return words[type(info)](info)


def _from_file(file: Path | None, environ: Mapping[str, str]) -> Iterator[tuple[str, Any, str]]:
    named = file or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    path = named or Path(FILE_NAME)
    if not path.is_file():
        if named:
            raise SettingsError(f"{path}: there is no such file")
        return
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error
    for key, value in _flat(content, ""):
        yield key, value, str(path)


def _flat(content: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _from_environment(environ: Mapping[str, str], known: Mapping[str, Known]) -> Iterator[tuple[str, Any, str]]:
    lists = {key for key, setting in known.items() if isinstance(setting.default, tuple)}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
            continue
        key = variable.removeprefix(PREFIX).lower().replace("__", ".")
        value = environ[variable]
        yield key, [part.strip() for part in value.split(",") if part.strip()] if key in lists else value, variable


def _fit(known: Mapping[str, Known], key: str, value: Any, source: str) -> Any:
    setting = known.get(key)
    if setting is None:
        near = difflib.get_close_matches(key, known, n=1)
        raise SettingsError(f"{source}: there is no setting {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    try:
        return msgspec.convert(value, setting.type, strict=source != PREFIX + key.upper().replace(".", "__"))
    except msgspec.ValidationError as error:
        raise SettingsError(f"{source}: {key} = {value!r} does not fit: {setting.allowed} ({error})") from error
