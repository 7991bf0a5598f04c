#!/usr/bin/env bash
# Starts or stops a real SLURM cluster on this one machine, for the tests that are marked slurm.
#
#   slurm_cluster.sh start FOLDER   starts munged, slurmctld and slurmd; prints the SLURM_CONF to use
#   slurm_cluster.sh stop FOLDER    stops them
#
# Needs root, and the packages slurm-wlm and munge. Everything it writes lies in FOLDER; sockets and
# ports are its own, so that a cluster this machine belongs to is left alone.
set -euo pipefail

action=${1:?start or stop}
folder=${2:?a folder}
export SLURM_CONF=$folder/slurm.conf

stop() {
  for name in slurmd slurmctld munged; do
    if [ -f "$folder/$name.pid" ]; then
      kill "$(cat "$folder/$name.pid")" 2>/dev/null || true
    fi
  done
}

start() {
  for program in munged slurmctld slurmd sinfo; do
    command -v "$program" >/dev/null || { echo "$program is not installed" >&2; exit 1; }
  done
  [ "$(id -u)" = 0 ] || { echo "starting a SLURM cluster needs root" >&2; exit 1; }
  mkdir -p "$folder/state" "$folder/spool"
  chmod 755 "$folder"
  folder=$(cd "$folder" && pwd)
  host=$(hostname -s)
  head -c 1024 /dev/urandom >"$folder/munge.key"
  chmod 600 "$folder/munge.key"
  cat >"$SLURM_CONF" <<CONF
ClusterName=dialbench
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
  munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
    --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
  slurmctld >/dev/null
  # Nothing is confined by control groups here, but slurmd wants to find some; newer ones may do without.
  for plugin in autodetect disabled; do
    printf 'CgroupPlugin=%s\nIgnoreSystemd=yes\n' $plugin >"$folder/cgroup.conf"
    if slurmd >/dev/null 2>&1; then break; fi
  done
  for _ in $(seq 60); do
    if sinfo --noheader --format=%T 2>/dev/null | grep -q idle; then
      echo "$SLURM_CONF"
      return
    fi
    sleep 0.5
  done
  echo "the cluster did not come up; see the logs in $folder" >&2
  tail -n 5 "$folder"/slurmctld.log "$folder"/slurmd.log >&2 || true
  stop
  exit 1
}

case $action in
  start) start ;;
  stop) stop ;;
  *) echo "usage: $0 start|stop FOLDER" >&2; exit 2 ;;
esac
