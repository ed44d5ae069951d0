"""Makes a real Alliance Auth database with Auth's own code, fills it and writes down what Auth says about every account.

What must stay true: the answers come from Auth's own functions (has_perm, get_all_permissions, the Discord service's role
calculation), never from a second reading of the tables; the same seed gives the same population.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
from urllib.parse import unquote, urlsplit

SEED = 20_161_106
USERS = 640
MAX_ID = 2**63 - 1

SETTINGS = """
import os
from urllib.parse import unquote, urlsplit

INSTALLED_APPS += ["allianceauth.services.modules.discord"]
DISCORD_GUILD_ID = "111"
DISCORD_BOT_TOKEN = "none"
DISCORD_APP_ID = DISCORD_APP_SECRET = DISCORD_CALLBACK_URL = "none"
ESI_SSO_CLIENT_ID = ESI_SSO_CLIENT_SECRET = "none"
ESI_USER_CONTACT_EMAIL = "nobody@example.com"
BROKER_URL = "memory://"
CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/1"}}
DJANGO_REDIS_IGNORE_EXCEPTIONS = True
SECRET_KEY = "a test database needs no secret"
LOGGING = {"version": 1, "loggers": {"allianceauth": {"level": "CRITICAL"}}}
_url = urlsplit(os.environ["GATECAMP_FILL_URL"])
DATABASES = {"default": {
    "ENGINE": "django.db.backends.mysql" if _url.scheme == "mysql" else "django.db.backends.postgresql",
    "NAME": _url.path[1:], "USER": unquote(_url.username or ""), "PASSWORD": unquote(_url.password or ""),
    "HOST": _url.hostname, "PORT": str(_url.port or ""),
    "OPTIONS": {"charset": "utf8mb4"} if _url.scheme == "mysql" else {},
}}
"""


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("project", "grants", "admin", "reader", "answers"):
        options.add_argument("--" + name, required=True)
    options = options.parse_args()
    admin, reader = urlsplit(options.admin), urlsplit(options.reader)
    if admin.path != reader.path or admin.scheme != reader.scheme:
        sys.exit("populate.py: both URLs must name the same database")
    make_database(admin)
    start_django(options.project, options.admin)
    Population(random.Random(SEED), admin.scheme == "mysql").fill()
    with open(options.answers, "w", encoding="utf-8") as out:
        for answer in answers():
            out.write(json.dumps(answer, ensure_ascii=False) + "\n")
    make_reader(pathlib.Path(options.grants), admin, reader)


def connect(url, database):
    """A connection outside Django, in autocommit, as tables and users are made before and after it."""
    user, password = unquote(url.username or ""), unquote(url.password or "")
    if url.scheme == "mysql":
        import MySQLdb

        return MySQLdb.connect(host=url.hostname, port=url.port or 3306, user=user, passwd=password, db=database or "", autocommit=True)
    import psycopg2

    connection = psycopg2.connect(host=url.hostname, port=url.port or 5432, user=user, password=password, dbname=database or "postgres")
    connection.autocommit = True
    return connection


def make_database(url):
    name = url.path[1:]
    cursor = connect(url, None).cursor()
    cursor.execute(f"DROP DATABASE IF EXISTS {name}")
    cursor.execute(f"CREATE DATABASE {name}" + (" CHARACTER SET utf8mb4" if url.scheme == "mysql" else ""))


def make_reader(grants, admin, reader):
    """Creates the read-only user with the statements that the documentation tells operators to run."""
    name = reader.path[1:]
    script = (grants / f"grants-{reader.scheme}.sql").read_text(encoding="utf-8")
    script = script.replace("gatecamp_ro", unquote(reader.username)).replace("choose-a-password", unquote(reader.password))
    cursor = connect(admin, name).cursor()
    if reader.scheme == "mysql":
        cursor.execute(f"DROP USER IF EXISTS '{unquote(reader.username)}'@'%'")
        script = script.replace("aa.", name + ".")
    else:
        cursor.execute(f"DROP ROLE IF EXISTS {unquote(reader.username)}")
        script = script.replace("DATABASE aa", "DATABASE " + name)
    for statement in script.split(";\n"):
        if statement.strip():
            cursor.execute(statement)


def start_django(project, url):
    """The project as `allianceauth start` makes it, with the Discord service. Its cache is a Redis that is never there: nothing here needs it."""
    tool = pathlib.Path(sys.executable).with_name("allianceauth")
    subprocess.run([tool, "start", "gate"], cwd=project, check=True, stdout=subprocess.DEVNULL)
    root = pathlib.Path(project) / "gate"
    with open(root / "gate" / "settings" / "local.py", "a", encoding="utf-8") as settings:
        settings.write(SETTINGS)
    sys.path.insert(0, str(root))
    os.chdir(root)
    os.environ["DJANGO_SETTINGS_MODULE"] = "gate.settings.local"
    os.environ["GATECAMP_FILL_URL"] = url
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)


# Names that trip readers: case, blanks at the end, accents, composed and decomposed letters, look-alikes, more characters than a role
# may have (in code points of one, two and four bytes), Discord's own default role, line ends, right to left.
NASTY_GROUPS = [
    "Fleet Commanders", "fleet commanders", "FLEET COMMANDERS", "Trailing", "Trailing ", " Leading", "Ünïcode Grüppe", "Unicode Gruppe",
    "Caf\u00e9", "Cafe\u0301", "\u0421\u041e\u0420\u0420", "@everyone", "🚀🚀", "🛸🛸", "line\nbreak", "tab\there", "\u202eright to left", "zero\u200bwidth",
    "x" * 150, "x" * 100 + "y" * 50, "ü" * 150, "ü" * 99 + "🚀" * 51, "🚀" * 100 + "cut", "e\u0301" * 75, "0", "%s", "'quote'", '"double"', "back\\slash", "Reserved Ones",
    "Member", "Guest", "Blue",
]
NASTY_STATES = ["🚀 Länder", "Trial ", "x" * 32, "Фракция", "No rights"]
RESERVED = ["reserved ones", "Keep Me", "ÜBERMUT", "🤖 bots", "r" * 150]


class Population:
    """The accounts, made with Auth's own models. Bulk inserts go round its signals, which would call Discord."""

    def __init__(self, chance, mysql):
        self.chance, self.mysql = chance, mysql

    def fill(self):
        self.permissions()
        self.states()
        self.groups()
        self.characters()
        self.users()

    def permissions(self):
        from django.contrib.auth.models import Permission
        from django.contrib.contenttypes.models import ContentType

        # One codename in two apps, under two models of one app, and of an app that is gone.
        for app, model in (("fleets", "fleet"), ("fleets", "doctrine"), ("markets", "order"), ("retired", "ghost")):
            kind = ContentType.objects.create(app_label=app, model=model)
            Permission.objects.create(content_type=kind, codename="basic_access", name="Can use " + app)
        # Where another app has a permission of the same codename, only Discord's gives access.
        Permission.objects.create(content_type=kind, codename="access_discord", name="Not that one")
        self.all = list(Permission.objects.select_related("content_type").order_by("id"))
        self.access = next(p for p in self.all if p.codename == "access_discord" and p.content_type.app_label == "discord")
        self.imposter = next(p for p in self.all if p.codename == "access_discord" and p.content_type.app_label == "retired")

    def some(self, most):
        return self.chance.sample(self.all, self.chance.randint(0, most))

    def insert(self, model, objects):
        """One by one in savepoints: MariaDB refuses names that Postgres tells apart."""
        from django.db import IntegrityError, transaction

        kept = []
        for one in objects:
            try:
                with transaction.atomic():
                    model.objects.bulk_create([one])
                kept.append(model.objects.order_by("-id").first())
            except IntegrityError:
                if not self.mysql:
                    raise
        return kept

    def states(self):
        from allianceauth.authentication.models import State

        self.insert(State, [State(name=name, priority=200 + i) for i, name in enumerate(NASTY_STATES)])
        self.state_rows = list(State.objects.order_by("id"))
        link = State.permissions.through
        rows = []
        for state in self.state_rows:
            held = {p.id for p in self.some(12)} - {self.access.id}
            if state.name in ("Member", "🚀 Länder"):
                held.add(self.access.id)
            if state.name == "Blue":
                held.add(self.imposter.id)
            if state.name != "No rights":
                rows += [link(state_id=state.id, permission_id=p) for p in sorted(held)]
        link.objects.bulk_create(rows)

    def groups(self):
        from django.contrib.auth.models import Group

        from allianceauth.groupmanagement.models import ReservedGroupName

        names = NASTY_GROUPS + [f"Group {i}" for i in range(60)]
        self.group_rows = self.insert(Group, [Group(name=name) for name in names])
        link = Group.permissions.through
        rows = []
        for group in self.group_rows:
            held = {p.id for p in self.some(8)} - {self.access.id}
            if self.chance.random() < 0.15:
                held.add(self.access.id)
            rows += [link(group_id=group.id, permission_id=p) for p in sorted(held)]
        link.objects.bulk_create(rows)
        from django.utils.timezone import now

        ReservedGroupName.objects.bulk_create([ReservedGroupName(name=n, reason="test", created_by="x", created_at=now()) for n in RESERVED])

    def characters(self):
        from allianceauth.eveonline.models import EveCharacter

        rows = []
        for i in range(USERS * 2):
            alliance = i % 5 != 0
            rows.append(EveCharacter(
                character_id=90_000_000 + i, character_name=self.chance.choice(["Pilot", "Zoë", "Иван", "O'Brien", "名前"]) + f" {i}",
                corporation_id=98_000_000 + i % 40, corporation_name=f"Corporation {i % 40}", corporation_ticker=f"C{i % 40}",
                alliance_id=99_000_000 + i % 7 if alliance else None, alliance_name=f"Alliance {i % 7}" if alliance else "",
                alliance_ticker=f"A{i % 7}<" if alliance else "",
            ))
        EveCharacter.objects.bulk_create(rows)
        self.character_rows = list(EveCharacter.objects.order_by("id"))

    def users(self):
        from django.contrib.auth.models import User

        from allianceauth.authentication.models import UserProfile
        from allianceauth.services.modules.discord.models import DiscordUser

        chance = self.chance
        made = [User(
            username=chance.choice(["pilot", "Zoë", "Иван", "名前", "a.b@c+d-e"]) + f"_{i}", password="canary-hash", email=f"canary{i}@example.com",
            is_active=chance.random() < 0.85, is_superuser=chance.random() < 0.05, is_staff=chance.random() < 0.1,
        ) for i in range(USERS)]
        made[0].is_active = made[0].is_superuser = True
        made[1].is_active, made[1].is_superuser = False, True
        User.objects.bulk_create(made)
        made = list(User.objects.order_by("id"))
        mains = chance.sample(self.character_rows, USERS)
        profiles, links, memberships, direct = [], [], [], []
        for i, user in enumerate(made):
            if chance.random() >= 0.08:
                profiles.append(UserProfile(user_id=user.id, state=chance.choice(self.state_rows), main_character=mains[i] if chance.random() < 0.8 else None))
            if chance.random() < 0.75:
                links.append(DiscordUser(user_id=user.id, uid=self.discord_id(i), username=f"u{i}"))
            for group in chance.sample(self.group_rows, chance.choice([0, 0, 1, 2, 3, 5, 12])):
                memberships.append(User.groups.through(user_id=user.id, group_id=group.id))
            if chance.random() < 0.2:
                direct += [User.user_permissions.through(user_id=user.id, permission_id=p.id) for p in {*self.some(4), *chance.choice([[], [self.access]])}]
        UserProfile.objects.bulk_create(profiles)
        DiscordUser.objects.bulk_create(links)
        User.groups.through.objects.bulk_create(memberships)
        User.user_permissions.through.objects.bulk_create(direct)

    def discord_id(self, i):
        """Mostly one's own; some shared, some at the ends of the range, some that cannot be an id."""
        return self.chance.choice([0, -1, MAX_ID, MAX_ID - 1, 777, 778] + [100_000_000_000_000_000 + i * 7_919] * 60)


def answers():
    """What Auth says about every account."""
    from allianceauth.authentication.models import User
    from allianceauth.services.modules.discord.core import calculate_roles_for_user

    client = recording_client()
    for user in User.objects.order_by("id"):
        profile = getattr(user, "profile", None)
        link = getattr(user, "discord", None)
        main = profile.main_character if profile else None
        roles = []
        if profile:
            wanted, _ = calculate_roles_for_user(user, client, link.uid if link else 0)
            roles = sorted(role.name for role in wanted)
        yield {
            "user_id": user.id,
            "username": user.username,
            "discord_ids": [str(link.uid)] if link and link.uid > 0 else [],
            "active": user.is_active,
            "superuser": user.is_superuser,
            "access": user.has_perm("discord.access_discord"),
            "permissions": sorted(user.get_all_permissions()),
            "state": profile.state.name if profile else None,
            "groups": sorted(group.name for group in user.groups.all()),
            "roles": roles,
            "main": main and {
                "name": main.character_name,
                "corporation_ticker": main.corporation_ticker,
                "alliance_ticker": main.alliance_ticker or "",
            },
        }


def recording_client():
    """Auth's own Discord client over an empty guild that lets it create every role it asks for."""
    from allianceauth.services.modules.discord.discord_client import DiscordClient, Role, RolesSet

    class Guild(DiscordClient):
        roles = {}

        def guild_roles(self, guild_id, use_cache=True):
            return set(self.roles.values())

        def create_guild_role(self, guild_id, role_name, **_):
            role = Role(id=1_000 + len(self.roles), name=role_name)
            self.roles[role.name] = role
            return role

        def guild_member_roles(self, guild_id, user_id):
            return RolesSet([])

    return Guild("none", is_rate_limited=False)


if __name__ == "__main__":
    main()
