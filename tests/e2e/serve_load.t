#!/usr/bin/perl
# serve_load.t - everything at once: many clients ask das serve for all that it does, good and bad, while keys come and go,
# certificates change and connections break off; and then it has to end in the middle of it. Meant above all for SAN=thread.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep time);
use Das qw(das wait_for);
use Herd;
use MariaDB;
use Serve;

my $slow = ($ENV{BUILD} || '') =~ /san-/;
my ($CLIENTS, $REQUESTS, $EACH) = (8, $slow ? 600 : 2400, 60);
my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp::tempdir(CLEANUP => 1);
my ($FLOW_PREVIEW, $PROJECT) = ('preview-session-for-kill-process-task', $Serve::PROJECT);

# Of each list: $EACH sessions of each client's own, which nobody else kills; some that tasks may kill; some that nobody may.
sub list {
    my ($name, $base) = @_;
    my @who = ((map { ("own$_") x $EACH } 1 .. $CLIENTS), ('task') x 100, ('keep') x 20);
    my @all = map { { id => $base + $_, user => $who[$_], host => "10.0.0.1:$_", db => 'shop', state => 'executing', command => 'Query',
        sql_info => "select $_", state_duration => 10 + $_ } } 0 .. $#who;
    open my $out, '>', "$dir/$name.json" or die "$dir/$name.json: $!";
    print $out $json->encode({ data_sync_time => 1766655104, total_count => scalar @all, processes => \@all }), "\n";
    close $out;
    my %of;
    push @{ $of{ $_->{user} } }, $_->{id} for @all;
    return \%of;
}
my %of = (orders => list('orders', 1_000_000), other => list('other', 2_000_000));
my %instances = map { $_ => "mem:$dir/$_.json" } keys %of;
my ($db, $herd);
if (!MariaDB::missing()) {
    $db = MariaDB->new;
    $db->sql('CREATE USER own@localhost; CREATE USER keep@localhost; CREATE USER das@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost');
    $herd = Herd->new($db->{socket});
    my @who = ((('own') x ($CLIENTS * 6)), 'keep', 'keep');
    my @ids = $herd->add_all(map { [ $_, '', 'SELECT SLEEP(100000)' ] } @who);
    $of{db}{keep} = [ splice @ids, -2 ];
    $of{db}{"own$_"} = [ splice @ids, 0, 6 ] for 1 .. $CLIENTS;
    $instances{db} = "mysql://das\@localhost/?socket=$db->{socket}";
}
my @names = sort keys %instances;
my $s = Serve->new(instances => \%instances, tls => 1, start => 0, timeout => 600, serve => 'mode = "auto", every = "1s", share = "20ms", drain = "20s"');

# All certificates that the server will have, and what trusts each of them.
system('cp', "$s->{dir}/server.$_", "$s->{dir}/first.$_") for qw(pem key);
$s->make_certificate($_) for qw(second third);
system("cat $s->{dir}/first.pem $s->{dir}/second.pem $s->{dir}/third.pem > $s->{dir}/all.pem") == 0 or die;
sub web { return HTTP::Tiny->new(keep_alive => 1, timeout => 60, verify_SSL => 1, SSL_options => { SSL_ca_file => "$s->{dir}/all.pem" }) }
my $token = $s->make_token('--name', 'reader', '--actions', 'read', '--instances', '*', '--expires', '1h');
my $victim = $s->make_key('--name', 'victim', '--actions', 'read', '--instances', '*');    # signatures by it are wrong
$s->start;
$s->{http} = web();
my %db_user = map { $s->id($_); $_ => $s->ask(GET => $s->path($_, 'db-users'))->{json}{db_users}[0]{db_user_id} } @names;
is($s->ask(POST => $s->flow($_, 'set-kill-process-task-switch'), { status => 'on' })->{status}, 200, "$_: switch on") for @names;

# --- a client -----------------------------------------------------------------------------------------
sub flag { return -e "$s->{dir}/ending" }    # from now on it may end under a client's hands

# What one client does, by name: the answer; or undef where none is awaited.
my %mine;    # instance => ids that are left
my $me = 0;
sub some { return $_[ rand @_ ] }
sub take { my ($name) = @_; return splice @{ $mine{$name} }, 0, 1 + int rand 2 }
sub page { return [ start_time => 0 ], [ end_time => int(time * 1000) + 60_000 ], [ page_num => 1 ], [ page_size => 50 ] }
sub broken {
    my ($begin) = @_;
    my $fh = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$s->{port}", Timeout => 60) or return;
    if ($begin ne 'raw') {
        require IO::Socket::SSL;
        IO::Socket::SSL->start_SSL($fh, SSL_ca_file => "$s->{dir}/all.pem", SSL_verifycn_scheme => 'none', Timeout => 60) or return;
        my ($target, $headers) = $s->signed(GET => "/v3/$PROJECT/instances", '', query => [ [ datastore_type => 'MySQL' ] ],
            headers => [ [ 'X-Nonce' => ++$s->{nonce} ] ]);
        my $text = "GET $target HTTP/1.1\r\n" . join('', map { "$_->[0]: $_->[1]\r\n" } @$headers) . "\r\n";
        print $fh ($begin eq 'half' ? substr($text, 0, length($text) / 2) : $text);
        $fh->close(SSL_no_shutdown => 1);
        return;
    }
    print $fh some('', "\x16\x03\x01\x02\x00\x01", 'GET / HTTP/1.1');
    close $fh;
    return;
}
my %does = (
    preview => [ 8, sub { $s->ask(POST => $s->flow($_[0], $FLOW_PREVIEW), { user => some('own%', 'keep', 'task'), time => 0 }) } ],
    token => [ 5, sub { $s->ask(POST => $s->flow($_[0], $FLOW_PREVIEW), { command => 'Query', time => 0 }, token => $token) } ],
    may_not => [ 1, sub { $s->ask(POST => $s->flow($_[0], 'kill-all-session'), '', token => $token) } ],
    kill => [ 3, sub { my ($name, $note) = @_; my @ids = take($name) or return; $note->{ids} = \@ids;
        $s->ask(POST => $s->path($name, 'kill-process'), { engine_type => 'MySQL', processes => [ map { { id => 0 + $_, user => $name eq 'db' ? 'own' : "own$me" } } @ids ] }) } ],
    delete => [ 3, sub { my ($name, $note) = @_; my @ids = take($name) or return; $note->{ids} = \@ids;
        $s->ask(DELETE => $s->path($name, 'process'), { db_user_id => $db_user{$name}, process_ids => [ map { "$_" } @ids ] }) } ],
    create => [ 2, sub { $s->ask(PUT => $s->flow($_[0], 'add-kill-process-task'), { user => some('task', 'nobody'), time => 1, task_duration => 60, task_type => some('auto', 'manual') }) } ],
    stop => [ 2, sub { my ($name) = @_; my $r = $s->ask(GET => $s->flow($name, 'query-kill-process-task'));
        my @running = grep { $_->{task_state} == 1 } @{ ($r->{json} || {})->{sql_killing_task_resp_list} || [] };
        return $r if !@running; $s->ask(POST => $s->flow($name, 'terminate-kill-process-task'), { task_id => some(@running)->{task_id} }) } ],
    switch => [ 1, sub { $s->ask(POST => $s->flow($_[0], 'set-kill-process-task-switch'), { status => some('on', 'on', 'off') }) } ],
    shown => [ 1, sub { $s->ask(GET => $s->flow($_[0], 'get-kill-process-task-switch')) } ],
    history => [ 2, sub { $s->ask(GET => $s->flow($_[0], 'query-kill-process-history'), undef, query => [ page() ]) } ],
    list => [ 2, sub { $s->ask(GET => $s->path($_[0], 'query-process-list'), undef, query => [ [ engine_type => 'MySQL' ], [ cur_page => 1 ], [ per_page => 20 ] ]) } ],
    users => [ 1, sub { $s->ask(GET => $s->path($_[0], 'db-users')) } ],
    fleet => [ 1, sub { $s->ask(GET => "/v3/$PROJECT/instances", undef, query => [ [ datastore_type => 'MySQL' ] ]) } ],
    metrics => [ 1, sub { $s->ask(GET => '/metrics', undef, key => undef) } ],
    ready => [ 1, sub { $s->ask(GET => '/readyz', undef, key => undef, query => [ [ verbose => '' ] ]) } ],
    forged => [ 1, sub { $s->ask(GET => "/v3/$PROJECT/instances", undef, query => [ [ datastore_type => 'MySQL' ] ], key => { %$victim, secret => 'wrong' }) } ],
    body => [ 2, sub { $s->ask(POST => $s->flow($_[0], $FLOW_PREVIEW), some('{', '[]', "\xff", '{"time":-1}', '{"user":1}', '{"command":"Qery"}')) } ],
    nowhere => [ 1, sub { $s->ask(GET => '/v3/nowhere') } ],
    passing => [ 2, sub { my $k = eval { $json->decode(Das::slurp("$s->{dir}/passing")) } or return; $s->ask(POST => $s->flow($_[0], $FLOW_PREVIEW), { time => 0 }, key => $k) } ],
    raw => [ 1, sub { broken('raw') } ],
    half => [ 1, sub { broken('half') } ],
    unread => [ 1, sub { broken('whole') } ],
    anew => [ 1, sub { $s->{http} = web(); return } ],    # meets the certificate of the day
);
my %good = (may_not => '403', create => '200|400', stop => '200|400', forged => '401|403|429', body => '400', nowhere => '404', passing => '200|401|403|429');

# Clients go on until the server is gone; each request is a line in the client's file, and a byte in the pipe.
sub client {
    my ($pipe) = @_;
    srand $me;
    $s->{nonce} = $me * 1_000_000;
    $s->{http} = web();
    %mine = map { $_ => [ @{ $of{$_}{"own$me"} } ] } @names;
    my @what = map { ($_) x $does{$_}[0] } sort keys %does;
    open my $out, '>', "$s->{dir}/client.$me" or die;
    $out->autoflush(1);
    while (1) {
        my ($what, $name, %note) = (some(@what), some(@names));
        my $r = $does{$what}[1]->($name, \%note);
        syswrite $pipe, '.';
        next if !$r;
        %note = (%note, what => $what, instance => $name, status => $r->{status}, ending => flag() ? 1 : 0, id => $r->{headers}{'x-request-id'},
            ($r->{json} ? (json => $r->{json}) : ()), ($r->{status} == 599 ? (why => $r->{content}) : ()),
            ($what eq 'metrics' ? (metrics => $r->{content} =~ /\A(?:#[^\n]*\n|[a-z_]+(?:\{[^\n]*\})? [-+.\deE]+\n)+\z/ ? 1 : 0) : ()));
        print $out $json->encode(\%note), "\n";
        last if $r->{status} == 599 && $note{ending};
    }
    return;
}
pipe(my $read, my $write) or die "pipe: $!";
my @pids;
for (1 .. $CLIENTS) {
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $me = $_;
        local $SIG{PIPE} = 'IGNORE';
        my $well = eval { client($write); 1 };
        print STDERR "# client $me: $@" if !$well;
        POSIX::_exit($well ? 0 : 1);
    }
    push @pids, $pid;
}
close $write;
fcntl($read, F_SETFL, fcntl($read, F_GETFL, 0) | O_NONBLOCK);
my $done = 0;
sub until_done {
    my ($n) = @_;
    return wait_for(sub { my $got = sysread($read, my $bytes, 65536); $done += $got || 0; return $done >= $n || defined $got && !$got }, 300) && $done >= $n;
}

# --- meanwhile ------------------------------------------------------------------------------------------
sub memory { my ($kb) = Das::slurp("/proc/$s->{run}{pid}/status") =~ /^VmRSS:\s+(\d+)/m; return $kb // 0 }
my ($parts, $key, $half) = (8);
for my $part (1 .. $parts) {
    ok(until_done($part * $REQUESTS / $parts), "part $part") or diag("$done requests", $s->log);
    my $old = $key;
    $key = $s->make_key('--name', "passing$part", '--actions', 'read', '--instances', '*');
    open my $out, '>', "$s->{dir}/passing.new" or die;
    print $out $json->encode($key);
    close $out;
    rename "$s->{dir}/passing.new", "$s->{dir}/passing";
    is(das($s->opt, 'key', 'revoke', $old->{access})->{exit}, 0, 'a key is revoked') if $old;
    my $new = (qw(first second third))[ $part % 3 ];
    for (qw(key pem)) { system('cp', '-p', "$s->{dir}/$new.$_", "$s->{dir}/server.$_.new"); rename "$s->{dir}/server.$_.new", "$s->{dir}/server.$_" }
    $s->signal('HUP');
    is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole at any time') if $part % 4 == 0;
    $half = memory() if $part == $parts / 2;
}
my $grown = memory() - $half;
open my $ending, '>', "$s->{dir}/ending" or die;
close $ending;
my $end = $s->stop;
my $failed = grep { waitpid($_, 0); $? } @pids;

# --- what came of it ---------------------------------------------------------------------------------------
like($end->{exit}, qr/^[04]$/, 'it ends in order, in the middle of it') or diag($end->{err});
unlike($end->{err}, qr/Sanitizer|panic|assert/i, 'and without a complaint');
is($failed, 0, 'all clients got to their ends');
cmp_ok($grown, '<', $slow ? 200_000 : 20_000, 'the second half needed no more memory than the first (KB)');
my (%count, @wrong, %asked, %killed, @short);
for my $n (1 .. $CLIENTS) {
    for (split /\n/, Das::slurp("$s->{dir}/client.$n")) {
        my $r = $json->decode($_);
        my ($what, $status, $j) = @$r{qw(what status json)};
        $count{"$what $status"}++;
        my $own = ($r->{ids} || []);
        $asked{$_} = 1 for @$own;
        next if $status == 599 && $r->{ending};
        my $sane = $status =~ /^(?:@{[ $good{$what} || '200' ]})$/ || $status == 503 && $r->{ending};
        my $formed = $what eq 'metrics' ? $r->{metrics} : $what eq 'ready' ? 1
            : $what eq 'delete' && $status == 200 ? !defined $j : $status < 300 ? defined $j
            : $j && $j->{error_code} && length $j->{error_msg} && $j->{request_id} eq $r->{id};
        push @wrong, $_ if !$sane || !$formed || !$r->{id};
        if ($status == 200 && @$own) {
            $killed{$_} = 1 for @$own;
            push @short, $_ if $what eq 'kill' && $j->{count} != @$own;
        }
    }
}
is_deeply([ @wrong[ 0 .. ($#wrong < 9 ? $#wrong : 9) ] ], [], 'every answer is well formed and has a status that makes sense') or diag(scalar @wrong);
is_deeply(\@short, [], 'and every kill ended whom it was asked to end');
note(join ', ', map { "$_: $count{$_}" } sort keys %count);
cmp_ok(scalar(keys %killed), '>', $slow ? 20 : 60, 'there was something to it');
cmp_ok($count{"$_ 200"} // 0, '>', 0, "$_ was answered") for qw(preview token kill delete create switch history metrics ready passing);
is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');
my (%intent, %outcome, %task);
for (split /\n/, das($s->opt, 'audit', 'export')->{out}) {
    my $r = $json->decode($_);
    $intent{ $r->{id} } = $r->{seq} if $r->{kind} eq 'intent' && $r->{id};
    $outcome{ $r->{intent} } = $r->{outcome} if $r->{kind} eq 'outcome';
}
is_deeply([ grep { ($outcome{ $intent{$_} // 0 } // '') ne 'killed' } sort keys %killed ], [], 'every kill that was answered has its records');
my %task_may = map { $_ => 1 } map { @{ $of{$_}{task} || [] } } @names;
is_deeply([ grep { !$asked{$_} && !$task_may{$_} } sort keys %intent ], [], 'and nobody was killed unasked');
cmp_ok(scalar(grep { $task_may{$_} } keys %intent), '>', 0, 'tasks have killed, too');
is($db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'keep'"), 2, 'who is to stay has stayed') if $db;
done_testing();
