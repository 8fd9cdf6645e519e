# application: stress-ng
# version: stress-ng --version
# needs: stress-ng
# set: matrix
# user: nobody
# input: stress.sh
# timeout: 900
# options: --memory 6g --pids-limit 2000 --ulimit nofile=4096
# Files, directories, names, locks, attributes, notification.
. ./stress.sh
same access aio aiol chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dnotify dup eventfd fallocate \
	fcntl file-ioctl filename flock fpunch fsize fstat getdent hdd inode-flags inotify io iomix lease link locka \
	lockf lockofd mknod open procfs readahead rename revio seek symlink sync-file touch utime xattr
survive bind-mount binderfs fanotify fiemap handle ramfs rawdev sysfs verity dev umount
