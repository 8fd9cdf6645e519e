# application: perl
# version: perl -e 'print substr($^V, 1)'
# needs: perl
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Fcntl qw(:flock SEEK_SET);
use File::Find;
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempfile);
use IO::Select;
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h);
use Socket;
use Time::HiRes qw(time sleep alarm);

$| = 1;
print sha256_hex("perl"), "\n";
my %count;
$count{$_ % 7}++ for 1 .. 100000;
print join(" ", map { "$_=$count{$_}" } sort keys %count), "\n";
make_path("d/e/f");
for my $n (0 .. 20) { open(my $f, ">", "d/e/f$n") or die; print $f "p" x ($n * 100); close $f }
my $size = 0;
find(sub { $size += -s if -f }, "d");
print "$size\n";
rename("d/e/f1", "d/g"); symlink("g", "d/link"); print readlink("d/link"), " ", -s "d/link", "\n";
open(my $no, "<", "nowhere") or print "$!\n";
remove_tree("d"); print -e "d" ? "there\n" : "gone\n";
my ($temp, $name) = tempfile(DIR => ".");
print $temp "abc"; flock($temp, LOCK_EX) or die; seek($temp, 0, SEEK_SET); close $temp; print -s $name, "\n";
pipe(my $r, my $w);
my $pid = fork;
if (!$pid) { close $r; print $w "from a child\n"; close $w; POSIX::_exit(4) }
close $w; print <$r>; waitpid($pid, 0); print $? >> 8, "\n";
print `echo backticks; exit 3`, $? >> 8, "\n";
open(my $sort, "|-", "sort -n") or die; print $sort "$_\n" for 3, 1, 2; close $sort;
local $SIG{CHLD} = sub { 1 while waitpid(-1, WNOHANG) > 0 };
local $SIG{USR1} = sub { print "signal\n" };
kill USR1 => $$;
eval { local $SIG{ALRM} = sub { die "alarm\n" }; alarm 0.05; select(undef, undef, undef, 10); }; print $@;
my $server = IO::Socket::UNIX->new(Local => "sock", Listen => 5) or die;
if (!($pid = fork)) { my $c = IO::Socket::UNIX->new(Peer => "sock"); print $c "over a socket\n"; print scalar <$c>; POSIX::_exit(0) }
my $peer = $server->accept; my $line = <$peer>; print $peer uc $line; close $peer; select(undef, undef, undef, 0.2);
socketpair(my $one, my $two, AF_UNIX, SOCK_STREAM, PF_UNSPEC); syswrite($one, "pair");
print scalar(my @ready = IO::Select->new($two)->can_read(1)), "\n"; sysread($two, my $buffer, 10); print "$buffer\n";
print POSIX::strftime("%Y-%m-%d", gmtime(86400 * 365)), " ", (getpwuid(0))[0], "\n";
my $begin = time; sleep 0.02; print time - $begin >= 0.02 ? "slept\n" : "too short\n";
exit 6;
