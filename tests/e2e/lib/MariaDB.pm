# MariaDB.pm - a private MariaDB server for one test: started in a temporary folder, gone at the end.
#
#   my $db = MariaDB->new(tls => 1, args => ['--max-connections=100']);
#   $db->sql('CREATE USER bob');         # as root, result as text
#   system 'das', 'preview', '-i', $db->url('root');
#
# It listens on a socket in its folder and on a free loopback port below 32768, with little memory.
# With tls it has a certificate for localhost and 127.0.0.1, signed by the authority in $db->{ca}.
package MariaDB;
use strict;
use warnings;
use Cwd qw(realpath);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(sleep time);

my %running;    # pid => server, of this process

sub missing {
    for my $program (qw(mariadbd mariadb mariadb-install-db openssl)) {
        return "$program is not installed" unless grep { -x "$_/$program" } path();
    }
    return undef;
}

sub path { return split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin' }

sub new {
    my ($class, %opt) = @_;
    my $self = bless {
        # the path of a socket is short, so not below the build folder
        dir => tempdir('das-mariadb-XXXXXX', TMPDIR => 1, CLEANUP => 1),
        owner => $$, args => $opt{args} || [], tls => $opt{tls},
    }, $class;
    $ENV{PATH} = join ':', path();
    $self->{socket} = "$self->{dir}/s.sock";
    $self->{port} = free_port();
    $self->{user} = getpwuid($<);
    # mariadb-install-db runs helpers that look for a home and a my.cnf: none of ours
    run("$self->{dir}/install.log", 'mariadb-install-db', '--no-defaults', '--force',
        "--datadir=$self->{dir}/data", '--auth-root-authentication-method=normal',
        "--tmpdir=$self->{dir}", '--skip-test-db', '--skip-name-resolve',
        '--innodb-buffer-pool-size=8M', '--innodb-log-file-size=4M',
        "--user=$self->{user}");
    $self->make_certificates if $self->{tls};
    $self->start;
    return $self;
}

sub free_port {
    for (1 .. 200) {
        my $port = 20000 + int rand 12000;
        my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port,
            Listen => 1) or next;
        close $probe;
        return $port;
    }
    die "no free port found\n";
}

sub run {
    my ($log, @command) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDOUT, '>>', $log;
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec @command or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return unless $?;
    open my $fh, '<', $log;
    die "$command[0] failed: " . join('', $fh ? <$fh> : ()) . "\n";
}

sub make_certificates {
    my ($self) = @_;
    my $d = $self->{dir};
    my $log = "$d/openssl.log";
    my @key = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes');
    run($log, 'openssl', 'req', '-x509', @key, '-days', 2, '-subj', '/CN=test authority',
        '-keyout', "$d/ca-key.pem", '-out', "$d/ca.pem");
    run($log, 'openssl', 'req', '-x509', @key, '-days', 2, '-subj', '/CN=another authority',
        '-keyout', "$d/other-key.pem", '-out', "$d/other-ca.pem");
    run($log, 'openssl', 'req', @key, '-subj', '/CN=localhost',
        '-keyout', "$d/key.pem", '-out', "$d/req.pem");
    open my $ext, '>', "$d/ext" or die;
    print $ext "subjectAltName = DNS:localhost, IP:127.0.0.1\n";
    close $ext;
    run($log, 'openssl', 'x509', '-req', '-in', "$d/req.pem", '-days', 2, '-CA', "$d/ca.pem",
        '-CAkey', "$d/ca-key.pem", '-CAcreateserial', '-extfile', "$d/ext", '-out', "$d/cert.pem");
    $self->{ca} = "$d/ca.pem";
    $self->{other_ca} = "$d/other-ca.pem";
}

sub start {
    my ($self) = @_;
    my $d = $self->{dir};
    my @tls = $self->{tls} ? ("--ssl-ca=$d/ca.pem", "--ssl-cert=$d/cert.pem",
        "--ssl-key=$d/key.pem") : ('--skip-ssl');
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDOUT, '>>', "$d/server.log";
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec 'mariadbd', '--no-defaults', "--user=$self->{user}", "--datadir=$d/data",
            "--socket=$self->{socket}", "--port=$self->{port}", '--bind-address=127.0.0.1',
            # a server that starts removes #sql files from its tmpdir: not another's
            "--tmpdir=$d", "--pid-file=$d/pid", '--skip-name-resolve',
            '--innodb-buffer-pool-size=8M', '--innodb-log-file-size=4M',
            '--innodb-flush-log-at-trx-commit=0', '--key-buffer-size=64K', '--aria-pagecache-buffer-size=1M',
            '--max-connections=300', @tls, @{ $self->{args} } or POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    $running{$pid} = $self;
    my $end = time + 60;
    while (time < $end) {
        return if IO::Socket::UNIX->new($self->{socket}) && defined eval { $self->sql('SELECT 1') };
        last if waitpid($pid, WNOHANG) == $pid;
        sleep 0.05;
    }
    delete $running{$pid};
    kill 'KILL', $pid;
    open my $log, '<', "$d/server.log";
    die 'mariadbd did not start: ' . join('', $log ? (<$log>)[-10 .. -1] : ()) . "\n";
}

# Ends the server: TERM for an orderly end, KILL for a crash.
sub stop {
    my ($self, $signal) = @_;
    my $pid = delete $self->{pid} or return;
    kill 'CONT', $pid;
    kill $signal || 'TERM', $pid;
    my $end = time + 20;
    while (waitpid($pid, WNOHANG) == 0) {
        kill 'KILL', $pid if time > $end;
        sleep 0.02;
    }
    delete $running{$pid};
}

sub signal {
    my ($self, $signal) = @_;
    kill $signal, $self->{pid};
}

# SQL through the mariadb client; dies with its message when it fails.
sub sql {
    my ($self, $sql, %opt) = @_;
    my $user = $opt{user} || 'root';
    local $ENV{MYSQL_PWD} = $opt{password} // '';
    my @command = ('mariadb', '--no-defaults', '-u', $user, '-S', $self->{socket}, '-BN',
        '--default-character-set=utf8mb4');
    pipe(my $in_read, my $in_write) or die;
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if (!$pid) {
        open STDIN, '<&', $in_read;
        close $in_write;
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    close $in_read;
    print $in_write $sql;
    close $in_write;
    my $text = do { local $/; <$out> } // '';
    close $out;
    die "$text\n" if $?;
    chomp $text;
    return $text;
}

# A mysql: URL for das: over the socket, or with tcp => HOST over the port.
sub url {
    my ($self, $user, %param) = @_;
    my $tcp = delete $param{tcp};
    $param{socket} = $self->{socket} unless $tcp;
    $user =~ s/([^A-Za-z0-9._-])/sprintf '%%%02X', ord $1/ge;
    my $host = $tcp ? "$tcp:$self->{port}" : 'localhost';
    return "mysql://$user\@$host/?" . join '&', map { "$_=$param{$_}" } sort keys %param;
}

sub DESTROY {
    my ($self) = @_;
    return if $$ != $self->{owner};
    local ($?, $@, $!);
    $self->stop('KILL') if $self->{pid};
}

# A test that fails or is interrupted leaves no server behind.
sub stop_all {
    $_->stop('KILL') for grep { $_->{owner} == $$ } values %running;
}
END { local $?; stop_all() }
$SIG{$_} = sub { exit 1 } for grep { !$SIG{$_} } qw(INT TERM HUP);

1;
