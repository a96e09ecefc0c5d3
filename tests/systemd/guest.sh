#!/usr/bin/env bash
# Runs in the virtual machine of scripts/test-vm: containers by systemd, from run to delete. $1 is root, user or session.
# Every line is a fact; the last says how many were not.
who=$1
runtime=$(dirname "$0")/cofferdam
failed=0
fact() { # fact NAME GOT WANTED
    if [[ $2 == $3 ]]; then echo "ok   [${SECONDS}s] $1"; else
        echo "FAIL [${SECONDS}s] $1: got '$2', wanted '$3'"
        failed=$((failed + 1))
    fi
}
ctl=systemctl slice=system.slice whose=
if [ "$who" != root ]; then ctl='systemctl --user' slice=user.slice whose=--rootless; fi
show() { $ctl show t-one.scope -p "$1" --value; }
units() { $ctl --no-legend list-units --all 't-*' | wc -l; }

home=$(mktemp -d) && cd "$home" || exit 1
trap '"$runtime" delete --force life 2>/dev/null; rm -rf "$home"' EXIT
mkdir -p rootfs/bin rootfs/{proc,sys,dev,tmp}
cp "$(command -v busybox)" rootfs/bin/
for name in sh cat sleep id; do ln -s busybox rootfs/bin/$name; done
"$runtime" spec $whose
config() { # config 'JQ' : the bundle's configuration, with this change
    jq --arg path "$slice:t:one" '.ociVersion="1.0.2" | .linux.cgroupsPath=$path | .process.terminal=false | .root.readonly=false
        | .linux.resources.memory={limit:33554432} | .linux.resources.pids={limit:20}
        | .linux.resources.cpu={quota:50000,period:100000}
        | .linux.namespaces |= (map(select(.type!="cgroup")) + [{type:"cgroup"}])
        | .mounts |= map(select(.destination!="/sys" and .destination!="/sys/fs/cgroup"))
        | .mounts += [{destination:"/sys",type:"none",source:"/sys",options:["rbind","nosuid","noexec","nodev","ro"]},
            {destination:"/sys/fs/cgroup",type:"cgroup",source:"cgroup",options:["nosuid","noexec","nodev","ro"]}] | '"$1" \
        template.json >config.json
}
mv config.json template.json

# The same document by other runtimes: what is seen inside must be alike.
inside='cd /sys/fs/cgroup; echo $(cat /proc/self/cgroup memory.max pids.max cpu.max); exit 3'
config ".process.args=[\"sh\",\"-c\",\"$inside\"]"
limits='0::/ 33554432 20 50000 100000'
fact 'limits are seen inside' "$("$runtime" --systemd-cgroup run one 2>&1; echo $?)" "$limits"$'\n3'
for other in ${OTHERS:-runc crun}; do
    fact "as by $other" "$($other --systemd-cgroup run one 2>/dev/null; echo $?)" "$limits"$'\n3'
done
fact 'the unit went with the container' "$(units)" 0

config '.process.args=["sleep","300"]'
run() { "$runtime" --systemd-cgroup run --detach "$1" </dev/null >/dev/null 2>error; }
run life
fact 'a detached container runs' "$? $(cat error)" '0 '
fact 'its unit has the limits' "$(show MemoryMax) $(show TasksMax) $(show CPUQuotaPerSecUSec) $(show Delegate) $(show Slice)" \
    "33554432 20 500ms yes $slice"
cgroup=/sys/fs/cgroup$(show ControlGroup)
fact 'the process is in it' "$(cat "$cgroup/cgroup.procs")" "$("$runtime" state life | jq .pid)"
"$runtime" pause life
fact 'pause freezes it' "$(grep frozen "$cgroup/cgroup.events")" 'frozen 1'
"$runtime" resume life
fact 'exec is beside it' "$("$runtime" exec life cat /proc/self/cgroup 2>&1)" '0::/'
"$runtime" update --memory 67108864 --pids-limit 30 --cpu-quota 3333 life
fact 'update changes the unit' "$(show MemoryMax) $(show TasksMax) $(show CPUQuotaPerSecUSec)" '67108864 30 40ms'
fact 'and the cgroup' "$(cat "$cgroup"/{memory.max,pids.max,cpu.max} | xargs)" '67108864 30 3333 100000'
$ctl daemon-reload
fact 'a reload takes nothing away' "$(cat "$cgroup"/{memory.max,pids.max} | xargs) $("$runtime" exec life sh -c 'echo >/dev/null && echo open' 2>&1)" \
    '67108864 30 open'
run other
fact 'a name that is taken is refused' "$? $(cat error)" '1 *choose another cgroupsPath*'
fact 'and the first lives on' "$("$runtime" state life | jq -r .status)" running
"$runtime" kill life KILL
sleep 1
"$runtime" delete life
fact 'delete removes it' "$? $(units) $([ -e "$cgroup" ] && echo there)" '0 0 '
run life && "$runtime" delete --force life
fact 'its name is free at once, also from a running one' "$? $(units) $([ -e "$cgroup" ] && echo there)" '0 0 '
config '.process.args=["true"] | .linux.cgroupsPath=null | .annotations={"org.systemd.property.TimeoutStopSec":"nonsense"}'
run life
fact 'a property that cannot be read is refused' "$? $(cat error)" '1 *TimeoutStopSec*'
fact 'no unit failed' "$($ctl --failed --no-legend | grep -c 'scope')" 0

echo "$failed facts do not hold for $who"
exit $((failed > 0))
