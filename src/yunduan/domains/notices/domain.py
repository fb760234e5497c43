"""Everything that notices show to the composition root."""

from yunduan.domains.notices import commands, queries
from yunduan.domains.notices.followers import FOLLOWERS
from yunduan.domains.notices.jobs import JOBS
from yunduan.domains.notices.routes import ROUTES
from yunduan.runtime.registry import Domain

DOMAIN = Domain(
    name="notices",
    package="yunduan.domains.notices",
    commands=(commands.read_notices, commands.choose_ways, commands.set_quiet_hours, commands.note_carried),
    queries=(
        queries.my_notices,
        queries.notices_after,
        queries.told_after,
        queries.my_preferences,
        queries.notice_letters_due,
        queries.next_letter,
        queries.notice_mailbox,
    ),
    followers=FOLLOWERS,
    routes=ROUTES,
    jobs=JOBS,
)
