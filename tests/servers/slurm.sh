#!/bin/bash
# slurm.sh: a Slurm cluster of one node on loopback: munged, slurmctld, slurmd, slurmrestd with JSON
# web tokens. From Debian's packages (contrib/setup --servers); needs root; one at a time on a machine.
#
# usage: slurm.sh start DIR PORT        PORT is slurmrestd's, the next two are the controller's and the node's
#        slurm.sh token DIR USER [SECONDS]
#        slurm.sh stop DIR
# Users slurm and munge must be able to pass through the folders above DIR.
set -euo pipefail

# Daemons are known by pid and start time: a pid may be somebody else's by now.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
alive() {
	local pid since
	[ -s "$1/pid" ] && read -r pid since <"$1/pid" && [ "$(start_time "$pid")" = "$since" ]
}
spawn() { # spawn DIR COMMAND...
	local dir=$1
	shift
	mkdir -p "$dir"
	setsid "$@" >"$dir/log" 2>&1 </dev/null &
	echo "$! $(start_time $!)" >"$dir/pid"
}
await() { # await DIR SECONDS COMMAND...
	local dir=$1 end=$((SECONDS + $2))
	shift 2
	until "$@" >/dev/null 2>&1; do
		if ! alive "$dir" || [ $SECONDS -ge $end ]; then
			echo "slurm.sh: $(basename "$dir") did not come up:" >&2
			tail -n 20 "$dir/log" >&2
			return 1
		fi
		sleep 0.2
	done
}
stop_one() {
	local pid since end=$((SECONDS + 10))
	alive "$1" || return 0
	read -r pid since <"$1/pid"
	kill -TERM "$pid"
	while alive "$1"; do
		[ $SECONDS -lt $end ] || kill -KILL "$pid"
		sleep 0.1
	done
}

configure() { # configure DIR PORT
	local dir=$1 host
	host=$(hostname -s)
	mkdir -p "$dir"/{state,spool,munge,ctl,node,mun,rest}
	chmod 755 "$dir"
	head -c 32 /dev/urandom >"$dir/jwt.key"
	head -c 1024 /dev/urandom >"$dir/munge/key"
	chown -R slurm: "$dir/state" "$dir/jwt.key"
	chmod 600 "$dir/jwt.key" "$dir/munge/key"
	chown -R munge: "$dir/munge"
	chmod 711 "$dir/munge"
	cat >"$dir/slurm.conf" <<-CONF
		ClusterName=t
		SlurmctldHost=$host(127.0.0.1)
		SlurmctldPort=$(($2 + 1))
		SlurmdPort=$(($2 + 2))
		CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
		SlurmUser=slurm
		AuthType=auth/munge
		AuthInfo=socket=$dir/munge/sock
		AuthAltTypes=auth/jwt
		AuthAltParameters=jwt_key=$dir/jwt.key
		StateSaveLocation=$dir/state
		SlurmdSpoolDir=$dir/spool
		SlurmctldPidFile=$dir/ctl/slurmctld.pid
		SlurmdPidFile=$dir/node/slurmd.pid
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_CPU
		ReturnToService=2
		SchedulerParameters=bf_interval=1,sched_interval=1
		NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=1024 State=UNKNOWN
		PartitionName=debug Nodes=$host Default=YES MaxTime=INFINITE State=UP
	CONF
}
token() { # token DIR USER SECONDS
	SLURM_CONF=$1/slurm.conf scontrol token username="$2" lifespan="$3" | cut -d= -f2
}
rest_answers() { # rest_answers DIR PORT
	curl -fs -m 3 -H "X-SLURM-USER-NAME: root" -H "X-SLURM-USER-TOKEN: $(token "$1" root 60)" \
		"http://127.0.0.1:$2/slurm/v0.0.38/ping"
}
node_is_idle() { [ "$(sinfo -h -o %t)" = idle ]; }

start() { # start DIR PORT
	local dir=$1 port=$2 name
	alive "$dir/rest" && return 0
	configure "$dir" "$port"
	export SLURM_CONF=$dir/slurm.conf
	spawn "$dir/mun" setpriv --reuid munge --regid munge --init-groups munged -F --key-file="$dir/munge/key" \
		--socket="$dir/munge/sock" --pid-file="$dir/munge/pid" --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
	await "$dir/mun" 10 test -S "$dir/munge/sock"
	spawn "$dir/ctl" setpriv --reuid slurm --regid slurm --init-groups slurmctld -D -f "$dir/slurm.conf"
	await "$dir/ctl" 30 scontrol ping
	name=$(hostname -s)
	spawn "$dir/node" slurmd -D -f "$dir/slurm.conf" -N "$name"
	# it refuses to run as root or as the Slurm user
	SLURM_JWT=daemon spawn "$dir/rest" setpriv --reuid nobody --regid nogroup --clear-groups \
		slurmrestd -a rest_auth/jwt -s openapi/v0.0.38 "127.0.0.1:$port"
	await "$dir/rest" 30 rest_answers "$dir" "$port"
	await "$dir/node" 60 node_is_idle
}

case ${1-} in
start) start "$2" "$3" ;;
token) token "$2" "$3" "${4:-3600}" ;;
stop)
	# a job outlives its node's daemon
	[ ! -s "$2/slurm.conf" ] || SLURM_CONF=$2/slurm.conf timeout 10 scancel --full --signal=KILL --user=root 2>/dev/null || true
	for part in rest node ctl mun; do stop_one "$2/$part"; done
	;;
*)
	sed -n '5,7p' "$0" >&2
	exit 2
	;;
esac
