# PtKill.pm - the real pt-kill beside das: random process lists and options, what each of the two
# would kill, and whether that is the same.
package PtKill;
use strict;
use warnings;
use File::Temp qw(tempdir);
use JSON::PP;
use Das;
use Exporter 'import';
our @EXPORT = qw(pt_kill_there pt_kill_takes write_list random_list random_options typed pt_victims
  das_policy das_victims das_by_design in_order policies);

my $dir = tempdir('das-ptkill-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $files = 0;

sub pt_kill_there { return scalar grep { -x "$_/pt-kill" } split /:/, $ENV{PATH} }

sub pick { return $_[ rand @_ ] }
sub chance { return rand() < $_[0] }

# --- process lists: rows are [id, user, host, db, command, time, state, info], undef is NULL ------

sub write_list {
    my (@rows) = @_;
    my $path = "$dir/list" . ++$files . '.tsv';
    open my $out, '>', $path or die "$path: $!";
    print $out join("\t", qw(Id User Host db Command Time State Info)), "\n";
    print $out join("\t", map { $_ // 'NULL' } @$_), "\n" for @rows;
    close $out or die;
    return $path;
}

my @statements = (
    sub { 'select * from orders where id = ' . int rand 1000 },
    sub { 'SELECT name, sum(total) FROM orders GROUP BY name' },
    sub { q{select * from users where name = '} . pick('ann', 'bob', '') . q{'} },
    sub { 'update stock set n = n - 1 where id in (' . join(', ', map { int rand 99 } 0 .. rand 4) . ')' },
    sub { 'delete from carts where changed < 20261124' },
    sub { '/* app=shop */ select count(*) from carts' },
    sub { 'select /* app=report */ count(*) from carts' },
    sub { 'alter table orders add column c int' },
    sub { 'call report_daily()' },
    sub { 'insert into log values (' . int(rand 9) . q{, 'x')} },
    sub { 'commit' },
);

# What pt-kill's own fingerprints treat in a way of their own is only made where $plain is false.
my @odd_statements = (
    sub { 'select 1 -- note ' . int rand 3 },
    sub { 'select 1 # note' },
    sub { q{select '-- no comment' from t} },
    sub { q{select 1 -- don't} },
    sub { 'select /*!40001 SQL_NO_CACHE */ 1 /* x */' },
    sub { 'select /**/ 1 /* y */ from t' },
    sub { 'select 1 /* never closed' },
    sub { '-- nothing else' },
    sub { 'select   2' },
    sub { '' },
);

my @commands = ('Query') x 6;
push @commands, ('Execute') x 3, ('Sleep') x 4, 'Connect', 'Init DB', 'Prepare', 'Statistics', 'Query';
my @users = ('app', 'app', 'app_ro', 'report', 'backup', 'root', q{o'neil}, 'dev ops', "\xc3\x9cnal", '', 'App');
my @dbs = ('shop', 'shop', 'orders', 'x-y', undef, undef, '', 'Shop');
my @states = (undef, '', 'Sending data', 'Waiting for table metadata lock', 'Locked', 'System lock', 'executing', 'updating');

sub random_list {
    my (%o) = @_;    # first => smallest id, rows => n, plain => 1, design => 1: rows that das leaves alone
    my $id = $o{first};
    my @rows;
    for (1 .. $o{rows}) {
        $id += 1 + int rand 3;
        my $command = pick(@commands);
        my $host = pick("10.0.0." . int(rand 4) . ':' . int(4000 + rand 3), 'localhost', '[::1]:3306', 'app-1.example:50', '');
        my $time = chance(.6) ? int rand 13 : pick(0, 59, 60, 61, 120, 300, 3600, 86400);
        my $info = $command eq 'Sleep' ? (chance(.9) ? undef : '') : chance(.1) ? undef
          : (!$o{plain} && chance(.3)) ? pick(@odd_statements)->() : pick(@statements)->();
        push @rows, [ $id, pick(@users), $host, pick(@dbs), $command, $time, pick(@states), $info ];
        push @rows, design_row(++$id) if $o{design} && chance(.15);
    }
    @rows = sort { rand() <=> .5 } @rows if chance(.5);    # a list need not come by id
    return @rows;
}

# Rows that das leaves alone on purpose, whatever pt-kill makes of them.
sub design_row {
    my ($id) = @_;
    my $time = int rand 100000;
    return @{ pick(
        [ [ $id, 'system user', '', undef, 'Connect', $time, 'Waiting for master to send event', undef ] ],
        [ [ $id, 'repl', '10.0.0.9:1', undef, 'Binlog Dump', $time, 'Sending binlog', undef ] ],
        [ [ $id, 'repl', '10.0.0.9:1', undef, 'Binlog Dump GTID', $time, 'Sending binlog', undef ],
          [ $id + 500000, 'repl', '10.0.0.9:2', 'shop', 'Query', $time, undef, 'select 1' ] ],
        [ [ $id, 'app', '10.0.0.1:1', 'shop', 'Killed', $time, undef, 'select * from orders' ] ],
        [ [ $id, 'event_scheduler', 'localhost', undef, 'Daemon', $time, 'Waiting on empty queue', undef ] ],
        [ [ $id, 'rdsadmin', 'localhost', 'shop', 'Query', $time, undef, 'select 1' ] ],
        [ [ $id, 'mysql.session', 'localhost', 'shop', 'Sleep', $time, undef, undef ] ],
        [ [ $id, 'app', '10.0.0.1:1', 'shop', 'Query', $time, 'wsrep: committing', 'commit' ] ],
        [ [ $id, 'app', '10.0.0.1:1', 'shop', 'Query', undef, undef, 'select 1' ] ],
        [ [ $id, 'app', '10.0.0.1:1', 'shop', 'Query', pick(2147483647, 4294967295), undef, 'select 1' ] ],
    ) };
}

# The same list without the rows that das leaves alone, each for a reason that its documents give.
sub das_by_design {
    my (@rows) = @_;
    my %replicates = map { $_->[1] => 1 } grep { $_->[4] =~ /^Binlog Dump/ } @rows;
    return grep {
        my ($user, $command, $time, $state) = @$_[ 1, 4, 5, 6 ];
        !($replicates{$user} || $user =~ /^(?:system user|event_scheduler|rdsadmin|mysql\..+)$/
            || $command =~ /^(?:Killed|Daemon|Binlog Dump.*)$/ || ($state // '') =~ /^wsrep/
            || !defined $time || $time >= 2147483647)
    } @rows;
}

# --- options --------------------------------------------------------------------------------------

my %patterns = (
    user    => [ '^app', 'app', '^(app|report)$', '(?i)^APP$', '^(?!root)', q{'}, '^$', ' ', "\xc3\x9c" ],
    host    => [ '^10\.0\.0\.[12]:', 'localhost', ':4001$', '^\[', '\d+' ],
    db      => [ '^shop$', '(?i)shop', '-', '^(?!orders)', '.', '^$' ],
    state   => [ '^Waiting', 'lock', 'Locked', '(?i)LOCK', '.', '^(?:executing|updating)$' ],
    command => [ 'Query', '^(?:Query|Execute)$', 'Sleep|Connect', '^[^S]', 'Init DB' ],
    info    => [ '(?i)^\s*select\b', 'orders', 'app=', '--', '^update.*\bin\b', 'id = \d{2,}$', '/\*!' ],
);
my %short = (
    'busy-time' => 'busy-t', 'idle-time' => 'idle', victims => 'vict', 'query-count' => 'query-c',
    'each-busy-time' => 'each', 'any-busy-time' => 'any', 'group-by' => 'group', 'match-command' => 'match-c',
    'match-all' => 'match-a', 'ignore-user' => 'ignore-u',
);

sub random_time { return pick(qw(1 2 3 5 7 10 12 60 1m 2m 1h 1d 5s 60s 0 0s 11)) }

# A list of [name, value]; undef: a flag.
sub random_options {
    my (%o) = @_;    # plain => 1: fingerprints are possible
    my @o;
    push @o, [ 'busy-time', random_time() ] if chance(.5);
    push @o, [ 'idle-time', random_time() ] if chance(.3);
    push @o, [ 'kill-busy-commands', pick('Query,Execute', 'Query, Execute ', 'Execute', 'Sleep,Query', 'Query|Execute',
            'query', 'Init DB,Query', 'Query,Connect') ] if chance(.3);
    for my $column (keys %patterns) {
        push @o, [ "match-$column", pick(@{ $patterns{$column} }) ] if chance(.2);
        push @o, [ "ignore-$column", pick(@{ $patterns{$column} }) ] if chance(.12);
    }
    push @o, ['match-all'] if chance(.25);
    push @o, [ 'victims', pick(qw(all all all oldest all-but-oldest ALL)) ] if chance(.8);
    push @o, [ 'query-count', pick(0, 1, 2, 3, 5, 10, -1) ] if chance(.25);
    push @o, [ pick(qw(each-busy-time any-busy-time)), random_time() ] if chance(.3);
    push @o, [ 'group-by', pick(qw(user User HOST db command Command time state info Info id nosuch),
            $o{plain} ? ('fingerprint') x 6 : ()) ] if chance(.5);
    push @o, [ pick(qw(no-strip-comments nostrip-comments strip-comments)) ] if chance(.25);
    push @o, ['replication-threads'] if chance(.1);
    push @o, [ 'interval', pick(qw(1 30 2m)) ] if chance(.1);
    return sort { rand() <=> .5 } @o;
}

# As somebody would type it.
sub typed {
    return map {
        my ($name, $value) = @$_;
        $name = $short{$name} if $short{$name} && chance(.2);
        !defined $value ? "--$name" : length $value && chance(.5) ? "--$name=$value" : ("--$name", $value)
    } @_;
}

# --- the two programs -------------------------------------------------------------------------------

# Ids that pt-kill prints for these lists, in its order; undef when it failed.
sub pt_victims {
    my ($lists, @args) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', '/dev/null';
        exec 'pt-kill', '--test-matching', join(',', @$lists), '--print', @args or exit 127;
    }
    my @ids = map { / KILL (\d+) \(/ ? $1 : () } <$out>;
    return close $out ? \@ids : undef;
}

# Does pt-kill run with these at all? Its words, '' for yes.
sub pt_kill_takes {
    my (@args) = @_;
    my $list = write_list([ 1, 'app', 'h:1', 'shop', 'Query', 10, undef, 'select 1' ]);
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        my @first = ($args[0] // '') eq '--config' ? splice @args, 0, 2 : ();
        exec 'pt-kill', @first, '--test-matching', $list, @args or exit 127;
    }
    my $said = join '', <$out>;
    return close $out ? '' : $said || 'nothing said';
}

# Every policy so far.
sub policies { return glob "$dir/policy*.lua" }

# The policy that das makes of it: its path, or undef and what das said.
sub das_policy {
    my (@args) = @_;
    my $r = das('import-pt-kill', '--', 'pt-kill', @args);
    return (undef, "exit $r->{exit}: $r->{err}") if $r->{exit};
    my $path = "$dir/policy" . ++$files . '.lua';
    open my $out, '>', $path or die;
    print $out $r->{out};
    close $out or die;
    return ($path, $r->{err});
}

# The victims of each class, in order: [[ids], ...]; undef and what das said.
sub das_victims {
    my ($policy, $list) = @_;
    my $r = das('run', '-o', 'json', '-i', "file:$list", $policy);
    # 5: it refuses a KILL QUERY of an idle session, which pt-kill tries
    return (undef, "exit $r->{exit}: $r->{err}") unless $r->{exit} =~ /^[05]$/;
    my (@classes, @outcomes);
    for my $line (split /\n/, $r->{out}) {
        my $json = JSON::PP->new->utf8->decode($line);
        push @classes, [ map { $_->{id} } @{ $json->{processes} } ] if $json->{processes};
        push @outcomes, [ map { $_->{id} } @{ $json->{outcomes} } ] if $json->{outcomes};
        my @spared = grep { $_->{outcome} eq 'protected' } @{ $json->{outcomes} || [] };
        return (undef, "protected: @{[ map { $_->{id} } @spared ]}") if @spared;
    }
    return (undef, "the report has other victims: $r->{out}")
      if @outcomes && JSON::PP->new->encode(\@outcomes) ne JSON::PP->new->encode(\@classes);
    return (\@classes, $r->{err});
}

# Are pt-kill's ids das's classes, each in its order, in whatever order of classes? '' or what differs.
sub in_order {
    my ($pt, $classes) = @_;
    my %class_of;
    for my $class (@$classes) { $class_of{$_} = $class for @$class }
    my @left = @$pt;
    while (@left) {
        my $class = $class_of{ $left[0] } or return "only pt-kill kills $left[0]";
        my @got = splice @left, 0, scalar @$class;
        return "expected @got, got @$class" if "@got" ne "@$class";
        delete @class_of{@$class};
    }
    return %class_of ? 'only das kills ' . join ' ', sort keys %class_of : '';
}

1;
