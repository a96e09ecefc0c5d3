#!/usr/bin/env bash
# Runs in the virtual machine of scripts/test-vm: containers by systemd, from run to delete. $1 is root, user or session; units
# is what needs no controller of version 2, so that any systemd that is process 1 will do. Every line is a fact; the last says
# how many were not.
who=$1
runtime=$(dirname "$0")/cofferdam
failed=0
# An emulated machine on a busy host is slow, and no fact here is about time.
export SYSTEMD_BUS_TIMEOUT=120s
echo "facts for $who"
fact() { # fact NAME GOT WANTED
    if [[ $2 == $3 ]]; then echo "ok   [${SECONDS}s] $1"; else
        echo "FAIL [${SECONDS}s] $1: got '$2', wanted '$3'"
        failed=$((failed + 1))
    fi
}
ctl=systemctl slice=system.slice whose=
if [ "$who" = user ] || [ "$who" = session ]; then ctl='systemctl --user' slice=user.slice whose=--rootless; fi
soon() { # soon COMMAND...: it is true within half a minute
    local try
    for try in {1..100}; do "$@" && return; sleep 0.3; done
}
ended() { [ "$("$runtime" state life | jq -r .status)" = stopped ]; }
unloaded() { [ -z "$($ctl --no-legend list-units t-one.scope)" ]; }
show() { $ctl show t-one.scope -p "$1" --value; }
units() { $ctl --no-legend list-units --all 't-*.scope' | wc -l; }

home=$(mktemp -d) && cd "$home" || exit 1
trap '"$runtime" delete --force life 2>/dev/null; rm -rf "$home"' EXIT
run() { "$runtime" --systemd-cgroup run --detach "$1" </dev/null >/dev/null 2>error; }
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

# From run to delete, with limits.
life() {
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
    soon ended
    "$runtime" delete life
    fact 'delete removes it' "$? $(units) $([ -e "$cgroup" ] && echo there)" '0 0 '
    run life && "$runtime" delete --force life
    fact 'its name is free at once, also from a running one' "$? $(units) $([ -e "$cgroup" ] && echo there)" '0 0 '
    config '.process.args=["true"] | .linux.cgroupsPath=null | .annotations={"org.systemd.property.TimeoutStopSec":"nonsense"}'
    run life
    fact 'a property that cannot be read is refused' "$? $(cat error)" '1 *TimeoutStopSec*'
    fact 'no unit failed' "$($ctl --failed --no-legend | grep -c 'scope')" 0
}

# Names, slices, and what is done to a unit from outside.
units_of_all_kinds() {
    plain='.process.args=["sleep","300"] | del(.linux.resources)'
    of() { jq .pid <("$runtime" state life) | xargs -I{} sed -n 's/^0:://p' /proc/{}/cgroup; }
    end() { "$runtime" delete --force life; }
    above=$($ctl show -p ControlGroup --value)
    config "$plain | .linux.cgroupsPath=\"machine.slice:libpod:abc\""
    run life; fact 'as podman asks' "$? $(of)" "0 $above/machine.slice/libpod-abc.scope"; end
    config "$plain | .linux.cgroupsPath=\"t-a-b.slice:cri:abc\""
    run life; fact 'dashes are levels' "$? $(of)" "0 $above/t.slice/t-a.slice/t-a-b.slice/cri-abc.scope"; end
    config "$plain | .linux.cgroupsPath=\":t:abc\""
    run life; fact 'without a slice' "$? $(of)" "0 $above/$slice/t-abc.scope"; end
    config "$plain | .linux.cgroupsPath=\"$slice::t-abc\""
    run life; fact 'without a prefix' "$? $(of)" "0 $above/$slice/t-abc.scope"; end
    config "$plain | del(.linux.cgroupsPath)"
    run life; fact 'without a path' "$? $(of)" "0 $above/$slice/cofferdam-life.scope"; end
    # systemd moves a process into scopes and services only, and a login session's may not go there by themselves.
    if [ "$who" != session ]; then
        config "$plain | .linux.cgroupsPath=\"t.slice::t-abc.slice\""
        run life; fact 'in a slice itself' "$? $(of) $($ctl is-active t-abc.slice)" "0 $above/t.slice/t-abc.slice active"; end
        fact 'which goes with it' "$($ctl is-active t-abc.slice)" inactive
    fi
    config "$plain | .annotations={\"org.systemd.property.TimeoutStopSec\":\"2\",\"org.systemd.property.Description\":\"'my words'\"}"
    run life; fact 'annotations are properties' "$? $(show TimeoutStopUSec) $(show Description)" '0 2s my words'

    $ctl freeze t-one.scope
    fact 'frozen by systemd it is paused' "$("$runtime" state life | jq -r .status)" paused
    $ctl thaw t-one.scope
    "$runtime" pause life && "$runtime" resume life
    fact 'and runs again' "$? $("$runtime" state life | jq -r .status)" '0 running'
    fact 'systemd knows its processes' "$($ctl status t-one.scope | grep -c 'sleep 300')" 1
    $ctl stop t-one.scope
    fact 'stopped by systemd it has ended' "$("$runtime" state life | jq -r .status)" stopped
    "$runtime" delete life
    fact 'and is deleted' "$? $(units)" '0 0'
    run life
    $ctl kill --signal=KILL t-one.scope
    soon unloaded
    fact 'killed by systemd, too' "$("$runtime" state life | jq -r .status)" stopped
    "$runtime" delete life
    fact 'and is deleted' "$? $(units)" '0 0'

    # A scope that ran out of time has failed, and keeps its name.
    $ctl --version | grep -q '^systemd 24[0-3]' ||
        systemd-run ${ctl#systemctl} --quiet --scope --unit t-one --property RuntimeMaxSec=1 sleep 30 2>/dev/null
    fact 'a unit of that name has failed' "$($ctl is-failed t-one.scope)" failed
    run life
    fact 'its name is taken over' "$? $(cat error) $($ctl is-active t-one.scope)" '0  active'
    end
}

# Without systemd.
directories() {
    plain='.process.args=["cat","/proc/self/cgroup"] | del(.linux.resources) | del(.linux.cgroupsPath)'
    if [ "$who" = session ]; then
        config "$plain"
        fact 'without a delegated cgroup it runs' "$("$runtime" run one 2>/dev/null)" '0::/'
        fact 'and says so once' "$("$runtime" run one 2>&1 >/dev/null | grep -c 'may not make cgroups')" 1
        config "$plain | .linux.resources.pids={limit:5}"
        fact 'but has no limits' "$("$runtime" run one 2>&1)" '*permission denied*/linux/resources/pids/limit*'
        return
    fi
    # Root's own place is the top; a user's is what was delegated, whose processes must be in a leaf of it.
    own=
    if [ "$who" = user ]; then
        own=$(cut -d: -f3 /proc/self/cgroup)
        mkdir "/sys/fs/cgroup$own/leaf" && echo $$ >"/sys/fs/cgroup$own/leaf/cgroup.procs"
    fi
    config ".process.args=[\"sh\",\"-c\",\"$inside\"] | .linux.cgroupsPath=\"$own/t-two\""
    fact 'limits are seen inside' "$("$runtime" run one 2>&1; echo $?)" "$limits"$'\n3'
    fact 'and the cgroup goes' "$([ -e "/sys/fs/cgroup$own/t-two" ] && echo there)" ''
}

case $who in
    units) units_of_all_kinds ;;
    *) life; units_of_all_kinds; directories ;;
esac
echo "$failed facts do not hold for $who"
exit $((failed > 0))
