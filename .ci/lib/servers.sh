# MariaDB, Postgres and Redis of our own, on free ports, with nothing that outlives the run.

password=gatecamp # of servers that listen on loopback for the length of one run

# become USER sets the words that run a command as that user, since servers refuse to be root.
become() {
	words=()
	((EUID)) || words=(setpriv --reuid="$1" --regid="$1" --init-groups env HOME="$work")
}

as() {
	become "$1"
	"${words[@]}" "${@:2}"
}

# folder_for USER NAME makes a folder of that user's.
folder_for() {
	mkdir -p "$work/$2"
	((EUID)) || chown "$1" "$work/$2"
	echo "$work/$2"
}

# serve NAME USER COMMAND… starts a server in the background and notes its process.
serve() {
	local name=$1
	become "$2"
	"${words[@]}" "${@:3}" </dev/null >"$logs/$name.server" 2>&1 &
	echo $! >"$work/$name.pid"
}

# ready NAME COMMAND… waits until the command succeeds.
ready() {
	local name=$1 _
	shift
	for _ in {1..300}; do
		"$@" >/dev/null 2>&1 && return 0
		kill -0 "$(cat "$work/$name.pid")" 2>/dev/null || break
		sleep 0.2
	done
	echo "$name does not answer; it said:"
	tail -n 40 "$logs/$name.server"
	return 1
}

stop_servers() {
	local file pid _
	for file in "$work"/*.pid; do
		[[ -e $file ]] || continue
		pid=$(cat "$file")
		# To Postgres INT means: end now, without waiting for its clients.
		if [[ $file == */postgres.pid ]]; then kill -INT "$pid" 2>/dev/null || true; else kill -TERM "$pid" 2>/dev/null || true; fi
	done
	for file in "$work"/*.pid; do
		[[ -e $file ]] || continue
		pid=$(cat "$file")
		for _ in {1..100}; do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL "$pid" 2>/dev/null || true
	done
}

# choose_ports asks the kernel for ports that are free now.
choose_ports() {
	read -r postgres_port mariadb_port redis_port < <(python3 -c '
import socket
held = [socket.socket() for _ in range(3)]
for s in held: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])')
}

export_urls() {
	local postgres=postgres://postgres:$password@127.0.0.1:$postgres_port mariadb=mysql://gatecamp:$password@127.0.0.1:$mariadb_port
	auth_postgres_admin=$postgres/aa_auth
	auth_mariadb_admin=$mariadb/aa_auth
	export GATECAMP_TEST_POSTGRES_URL="$postgres/gatecamp?sslmode=disable"
	export GATECAMP_TEST_MARIADB_URL=$mariadb/gatecamp
	export GATECAMP_TEST_REDIS_URL=redis://127.0.0.1:$redis_port/0
	export GATECAMP_TEST_AUTH_POSTGRES_URL="postgres://reader:$password@127.0.0.1:$postgres_port/aa_auth?sslmode=disable"
	export GATECAMP_TEST_AUTH_MARIADB_URL=mysql://reader:$password@127.0.0.1:$mariadb_port/aa_auth
	export GATECAMP_TEST_AUTH_PYTHON=$cache/auth/bin/python
	export GATECAMP_TEST_AUTH_POSTGRES_ANSWERS=$work/auth-postgres.jsonl
	export GATECAMP_TEST_AUTH_MARIADB_ANSWERS=$work/auth-mariadb.jsonl
}

postgres_bin() {
	local newest
	newest=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
	echo "${newest:-/usr/lib/postgresql/15/bin}"
}

start_postgres() {
	local bin data
	bin=$(postgres_bin)
	((EUID)) || id postgres >/dev/null 2>&1 || useradd --system --no-create-home postgres
	data=$(folder_for postgres postgres)
	echo "$password" >"$data.password"
	chmod 644 "$data.password"
	as postgres "$bin/initdb" -D "$data/data" -U postgres --pwfile="$data.password" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync
	serve postgres postgres "$bin/postgres" -D "$data/data" -p "$postgres_port" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$data" \
		-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300
	ready postgres "$bin/pg_isready" -h 127.0.0.1 -p "$postgres_port"
	PGPASSWORD=$password "$bin/psql" -h 127.0.0.1 -p "$postgres_port" -U postgres -v ON_ERROR_STOP=1 -c 'CREATE DATABASE gatecamp' postgres
}

start_mariadb() {
	local data
	data=$(folder_for mysql mariadb)
	as mysql mariadb-install-db --no-defaults --skip-test-db --auth-root-authentication-method=normal --datadir="$data/data"
	cat >"$data.sql" <<-SQL
		CREATE USER gatecamp@'%' IDENTIFIED BY '$password';
		GRANT ALL PRIVILEGES ON *.* TO gatecamp@'%' WITH GRANT OPTION;
		CREATE DATABASE gatecamp;
	SQL
	chmod 644 "$data.sql"
	serve mariadb mysql mariadbd --no-defaults --datadir="$data/data" --socket="$data/socket" --pid-file="$data/pid" --bind-address=127.0.0.1 \
		--port="$mariadb_port" --init-file="$data.sql" --skip-name-resolve --character-set-server=utf8mb4 --innodb-flush-log-at-trx-commit=0 \
		--innodb-buffer-pool-size=256M --max-connections=300
	ready mariadb mariadb --no-defaults -h 127.0.0.1 -P "$mariadb_port" -u gatecamp -p"$password" -e 'SELECT 1' gatecamp
}

start_redis() {
	local data
	data=$(folder_for redis redis)
	serve redis redis redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$data" --save '' --appendonly no
	ready redis redis-cli -h 127.0.0.1 -p "$redis_port" ping
}

fill_auth_mariadb() {
	.ci/auth/fill.sh "$cache/auth" "$auth_mariadb_admin" "$GATECAMP_TEST_AUTH_MARIADB_URL" "$GATECAMP_TEST_AUTH_MARIADB_ANSWERS"
}

fill_auth_postgres() {
	.ci/auth/fill.sh "$cache/auth" "$auth_postgres_admin" "$GATECAMP_TEST_AUTH_POSTGRES_URL" "$GATECAMP_TEST_AUTH_POSTGRES_ANSWERS"
}
