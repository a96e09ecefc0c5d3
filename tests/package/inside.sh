# What main.rs does with the package, on a copy of the host that nobody else sees: sh inside.sh DIRECTORY PACKAGE
#
# In a mount namespace of its own. Prints a line for each thing that it has seen, and stops at the first that is not so.
set -eu
dir=$1 package=$2
mkdir -p "$dir/layers" "$dir/root"
mount --make-rprivate /
mount -t tmpfs tmpfs "$dir/layers"
mkdir "$dir/layers/upper" "$dir/layers/work"
mount -t overlay -o "lowerdir=/,upperdir=$dir/layers/upper,workdir=$dir/layers/work" overlay "$dir/root" ||
    { echo "no overlay"; exit 0; }
cp "$package" "$dir/root/cofferdam.deb"
for place in dev proc sys; do mount --rbind "/$place" "$dir/root/$place"; done
mount -t tmpfs tmpfs "$dir/root/run"
cd "$dir/root"
mkdir -p before
pivot_root . before
exec chroot . sh -eu -c '
umount -l /before
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
# Images of containers leave manual pages out; triggers would index all of the host.
dpkg --no-triggers --path-include="/usr/share/*" -i /cofferdam.deb >/dev/null
dpkg-query -L cofferdam | LC_ALL=C sort >/listed
echo "installed $(dpkg-query -W -f="\${db:Status-Status} \${Version}" cofferdam)"
dpkg --verify cofferdam

mkdir -p /bundle/rootfs/bin
cp /bin/busybox /bundle/rootfs/bin/sh
cd /bundle
cofferdam spec
sed -i "s/\"terminal\": true/\"terminal\": false/; s/\"sh\"/\"sh\", \"-c\", \"echo from inside\"/" config.json
echo "ran $(cofferdam run packaged)"
echo "beside $(cofferdam nsinit config --rootfs /bundle/rootfs | head -c 1) $(nsinit --version | cut -d" " -f1)"
echo "agent $(cofferdam agent --version | cut -d" " -f1)"
cofferdam stats --format json

for page in cofferdam cofferdam-run cofferdam-nsinit-exec nsinit cofferdam-agent; do
    man -w "$page" >/dev/null
done
echo "page $(MANWIDTH=100 man cofferdam-run | sed -n "s/^ *\(cofferdam-run\) - .*/\1/p")"
bash -c "source /usr/share/bash-completion/completions/cofferdam; complete -p cofferdam" >/dev/null
bash -c "source /usr/share/bash-completion/completions/nsinit; complete -p nsinit" >/dev/null
echo completed

cd /
dpkg --no-triggers -P cofferdam >/dev/null
while read -r path; do
    # Directories of other packages stay, and these are not empty.
    if [ ! -d "$path" ] || [ -L "$path" ]; then test ! -e "$path" || { echo "left $path"; exit 1; }; fi
done </listed
test ! -e /usr/share/doc/cofferdam
echo "removed $(dpkg-query -W -f="\${db:Status-Status}" cofferdam 2>/dev/null || echo nothing)"
'
