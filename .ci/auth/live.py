"""A real Alliance Auth at work: its database, its Discord service, its Celery worker, and somebody who changes things in it.

Reads one JSON object a line and answers each with one line: {"do": "group" | "user" | "groups" | "update_all" | "busy"}. Ends with its input.

What must stay true: whatever happens in Discord is done by Auth's own tasks in Auth's own worker, never by this script.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import populate

SETTINGS = """
DISCORD_GUILD_ID = os.environ["GATECAMP_LIVE_GUILD"]
DISCORD_BOT_TOKEN = os.environ["GATECAMP_LIVE_TOKEN"]
DISCORD_API_BASE_URL = os.environ["GATECAMP_LIVE_DISCORD"] + "/"
DISCORD_DISABLE_ROLE_CREATION = True
BROKER_URL = os.environ["GATECAMP_LIVE_REDIS"].rsplit("/", 1)[0] + "/5"
CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": os.environ["GATECAMP_LIVE_REDIS"].rsplit("/", 1)[0] + "/6"}}
ANALYTICS_DISABLED = True
CELERYBEAT_SCHEDULE = {}
LOGGING = {"version": 1, "handlers": {"err": {"class": "logging.StreamHandler"}}, "loggers": {"allianceauth": {"level": "WARNING", "handlers": ["err"]}}}
"""

# The queues that Auth's workers serve, each with how many threads.
QUEUES = {"celery": 2, "services": 1}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("project", "admin", "reader", "redis", "discord", "guild", "token"):
        options.add_argument("--" + name, required=True)
    options = options.parse_args()
    for name in ("redis", "discord", "guild", "token"):
        os.environ["GATECAMP_LIVE_" + name.upper()] = getattr(options, name)
    populate.SETTINGS += SETTINGS
    admin, reader = urlsplit(options.admin), urlsplit(options.reader)
    populate.make_database(admin)
    populate.start_django(options.project, options.admin)
    populate.make_reader(pathlib.Path(__file__).parent, admin, reader)
    forget(options.redis)
    prepare()
    workers = [start_worker(queue, threads) for queue, threads in QUEUES.items()]
    try:
        until_they_answer(workers)
        say({"ready": True})
        for line in sys.stdin:
            order = json.loads(line)
            say(ORDERS[order.pop("do")](**order))
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.wait(30)


def start_worker(queue, threads):
    """One of the workers of Auth's own supervisor.conf. Tasks of the Discord service are routed to a queue of their own, which one thread serves."""
    tool = pathlib.Path(sys.executable).with_name("celery")
    return subprocess.Popen(
        [tool, "-A", "gate", "worker", "-Q", queue, "-n", queue + "@%h", "--pool=threads", f"--concurrency={threads}", "--loglevel=WARNING", "--without-gossip"],
        stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr,
    )


def until_they_answer(workers):
    for _ in range(60):
        if len(inspect(timeout=1).ping() or {}) == len(workers):
            return
        if any(worker.poll() is not None for worker in workers):
            break
    sys.exit("live.py: Auth's workers do not start")


def say(answer):
    print(json.dumps(answer), flush=True)


def forget(address):
    """Nothing of an earlier run may be left in the queue or the cache."""
    import redis

    for number in (5, 6):
        redis.Redis.from_url(address.rsplit("/", 1)[0] + f"/{number}").flushdb()


def prepare():
    """A corporation whose members are in the state Member, which may use Discord."""
    from allianceauth.authentication.models import State
    from allianceauth.eveonline.models import EveCorporationInfo

    home = EveCorporationInfo.objects.create(corporation_id=98_000_001, corporation_name="Dusk Runners", corporation_ticker="DUSK", member_count=4)
    member = State.objects.get(name="Member")
    member.member_corporations.add(home)
    access = member.permissions.model.objects.get(codename="access_discord", content_type__app_label="discord")
    member.permissions.add(access)


def user(name, discord, groups=(), superuser=False):
    """Somebody with a main character in the corporation, and a linked Discord account."""
    from django.contrib.auth.models import User

    from allianceauth.authentication.models import CharacterOwnership
    from allianceauth.eveonline.models import EveCharacter
    from allianceauth.services.modules.discord.models import DiscordUser

    number = int(discord)
    one = User.objects.create_user(name, is_superuser=superuser)
    main = EveCharacter.objects.create(
        character_id=90_000_000 + number % 1_000_000, character_name=name.title(), corporation_id=98_000_001, corporation_name="Dusk Runners", corporation_ticker="DUSK",
    )
    CharacterOwnership.objects.create(user=one, character=main, owner_hash=f"hash{number}")
    one.profile.main_character = main
    one.profile.save()
    DiscordUser.objects.create(user=one, uid=number, username=name)
    for group in groups:
        one.groups.add(named(group))
    one.refresh_from_db()
    return {"state": one.profile.state.name, "access": one.has_perm("discord.access_discord")}


def group(name):
    """A group that nobody is in yet."""
    return {"id": named(name).id}


def named(group):
    from django.contrib.auth.models import Group

    return Group.objects.get_or_create(name=group)[0]


def groups(name, add=(), remove=()):
    """Changes a user's groups as the admin site does; Auth's signals do the rest."""
    from django.contrib.auth.models import User

    one = User.objects.get(username=name)
    one.groups.add(*map(named, add))
    one.groups.remove(*map(named, remove))
    return {"groups": sorted(group.name for group in one.groups.all())}


def update_all():
    """Has the roles of everybody written anew."""
    from allianceauth.services.modules.discord.tasks import update_all_groups

    update_all_groups.delay()
    return {"ordered": True}


def busy():
    """How many tasks wait or are at work. One that came and went meanwhile counts: it may have ordered others."""
    before, running, after = done(), at_work(), done()
    return {"tasks": running + after - before + waiting()}


def inspect(timeout=10):
    """A question to the workers. It ends when every one has answered, or after so many seconds."""
    from gate.celery import app

    return app.control.inspect(timeout=timeout, limit=len(QUEUES))


def done():
    """How many tasks the workers have taken up so far."""
    answers = inspect().stats() or {}
    if len(answers) < len(QUEUES):
        raise RuntimeError(f"only these workers answer: {sorted(answers)}")
    return sum(sum(stats["total"].values()) for stats in answers.values())


def at_work():
    return sum(len(tasks) for tasks in (inspect().active() or {}).values())


def waiting():
    """How many messages are in the queues, or with a worker that has not taken them up: those that wait for a time too."""
    import redis

    broker = redis.Redis.from_url(os.environ["GATECAMP_LIVE_REDIS"].rsplit("/", 1)[0] + "/5")
    queued = sum(broker.llen(key) for key in broker.keys() if broker.type(key) == b"list")
    return queued + broker.hlen("unacked")


ORDERS = {"group": group, "user": user, "groups": groups, "update_all": update_all, "busy": busy}

if __name__ == "__main__":
    main()
