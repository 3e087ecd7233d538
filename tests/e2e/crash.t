#!/usr/bin/perl
# das dies, as in a power cut, at every step between the decision to kill and its outcome. Afterwards
# the journal is whole, what is not known is shown until a person has looked, nobody is killed twice,
# and nothing that was reserved is lost.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use Das;
use Herd;
use KillCheck;
use MariaDB;

plan skip_all => MariaDB::missing() if MariaDB::missing();

# Where it dies (the third time: ":3"), and what had happened by then: is the plan applied, and how
# many intents are in the journal, kills were sent, intents have no outcome. Five victims in steps of
# 1, 2 and 2.
my @matrix = (
    #  place                       applied intents kills open
    [ 'after-reserve',                 0,     0,     0,    0 ],
    [ 'before-apply-record',           0,     0,     0,    0 ],
    [ 'journal-before-commit',         0,     0,     0,    0 ],    # the apply record
    [ 'journal-after-commit',          1,     0,     0,    0 ],
    [ 'before-intent',                 1,     0,     0,    0 ],
    [ 'journal-before-commit:2',       1,     0,     0,    0 ],    # the first intent
    [ 'journal-after-commit:2',        1,     1,     0,    1 ],
    [ 'after-intent',                  1,     1,     0,    1 ],
    [ 'before-kill',                   1,     1,     0,    1 ],
    [ 'after-kill',                    1,     1,     1,    1 ],
    [ 'before-look-again',             1,     1,     1,    1 ],
    [ 'before-outcome',                1,     1,     1,    1 ],
    [ 'journal-before-commit:3',       1,     1,     1,    1 ],    # the first outcome
    [ 'journal-after-commit:3',        1,     1,     1,    0 ],
    [ 'after-outcome',                 1,     1,     1,    0 ],
    [ 'after-ramp-step',               1,     1,     1,    0 ],
    [ 'before-intent:3',               1,     2,     2,    1 ],    # in the second step
    [ 'after-intent:3',                1,     3,     2,    2 ],
    [ 'after-kill:3',                  1,     3,     3,    2 ],
    [ 'before-outcome:2',              1,     3,     3,    2 ],
    [ 'after-ramp-step:2',             1,     3,     3,    0 ],
    [ 'after-kill:5',                  1,     5,     5,    2 ],
    [ 'after-ramp-step:3',             1,     5,     5,    0 ],
);
# The sanitizers need to see the way of each kind only once.
@matrix = grep { $_->[0] =~ /^(?:after-reserve|after-intent|after-kill:3|before-outcome:2|journal-after-commit:2)$/ } @matrix
    if ($ENV{BUILD} || '') =~ /san-/;

my $db = MariaDB->new(args => [ '--general-log=1', '--general-log-file=general.log' ]);
$db->sql(<<'SQL');
CREATE DATABASE shop; CREATE TABLE shop.t (a INT PRIMARY KEY, b INT) ENGINE=InnoDB;
INSERT INTO shop.t VALUES (1, 0), (2, 0);
CREATE USER app@localhost; GRANT ALL ON shop.* TO app@localhost; CREATE USER gate@localhost;
CREATE USER das@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost;
SQL
my $gate = Herd->new($db->{socket});
$gate->add('gate', '', 'SELECT GET_LOCK("gate", 0)');
is($gate->say(1, ''), 'ok', 'what the victims wait for');
my $log = "$db->{dir}/data/general.log";
my $das = Das::program();
my $build = $ENV{BUILD} || 'build';
my $count = 0;

sub write_file {
    my ($path, $text) = @_;
    open my $out, '>', $path or die "$path: $!\n";
    print $out $text;
    close $out;
    return $path;
}

my $policy = write_file("$db->{dir}/policy.lua", <<'LUA');
local busy = das.filter{ user = "app", command = "Query" }
local waits = das.filter{ user = "app", trx_time = 0 }
local found = assert(das.preview(busy | waits))
print("found " .. #found)
if #found > 0 then
  local plan = found:plan{ kill = "auto", reason = "crash test" }
  print(plan.hash .. " " .. das.json.encode(plan))
  print(assert(plan:apply()))
end
LUA

# Three statements and two transactions that wait for their client; their ids.
sub victims {
    my ($herd) = @_;
    my @ids = map { $herd->add('app', 'shop', "SELECT GET_LOCK('gate', 600) /* c$count n$_ */") } 1 .. 3;
    for my $n (4, 5) {
        push @ids, $herd->add('app', 'shop', 'START TRANSACTION');
        $herd->say($n, 'UPDATE t SET b = b + 1 WHERE a = ' . ($n - 3));
        is($herd->say($n, ''), 'ok', 'a transaction');
    }
    # InnoDB looks anew only when nobody has asked it for 0.1 s
    my $seen = 'SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id IN (' . join(',', @ids[ 3, 4 ]) . ')';
    ok(wait_for(sub { sleep 0.15; $db->sql($seen) == 2 }), 'that the server tells of');
    return @ids;
}

sub records {
    my ($r) = @_;
    return map { JSON::PP->new->decode($_) } split /\n/, $r->{out};
}

# The matrix says how many of them are hit at a place: KILLs in the server's log from $from on.
sub kills_since {
    my ($from) = @_;
    open my $in, '<', $log or die;
    seek $in, $from, 0;
    return scalar grep { /\bKILL / } <$in>;
}

for my $case (@matrix) {
    my ($place, $applied, $intents, $kills, $open) = @$case;
    $count++;
    subtest "dies at $place" => sub {
        my $herd = Herd->new($db->{socket});
        my @ids = victims($herd);
        my $dir = "$db->{dir}/case$count";
        mkdir $dir;
        # As many kills as are meant in all, and none to spare: a reservation that leaks is missed.
        my $budget = $intents + ($applied ? 5 - $kills : 5);
        my $config = write_file("$dir/das.lua", <<"LUA");
return {
  instances = { db = "mysql://das\@localhost/?socket=$db->{socket}" },
  state = "$dir/state",
  limits = { kill = { run = $budget, minute = $budget, instance = $budget, user = $budget, percent = 100 } },
  breaker = { failures = 100, respawns = 0, surge = 0 },
}
LUA
        my $from = -s $log;
        my $tell = sub { my ($command, @rest) = @_; return das($command, '--config', $config, @rest) };
        my $audit = sub { my ($what, @rest) = @_; return das('audit', $what, '--config', $config, @rest) };

        my $plan = "$dir/plan";
        my $r = $tell->('run', '-i', 'db', '--plan-out', $plan, $policy);
        like($r->{out}, qr/^found 5$/m, 'a plan for five') or diag explain $r;
        write_file("$dir/plans", $r->{out});
        # the journal is there: what is counted below are the records of this apply
        is($tell->('apply', '--dry-run', $plan)->{exit}, 0, 'which would work');
        {
            local $ENV{DAS} = "$build/das-faults";
            $r = das({ env => { DAS_FAULT => $place } }, 'apply', '--config', $config, $plan);
        }
        is($r->{exit}, 'signal 9', 'das dies') or diag explain $r;
        is(kills_since($from), $kills, "$kills sent by then");
        my $seen = $audit->('list', '-o', 'json', '--kind', 'intent');
        is(scalar(records($seen)), $intents, "$intents intents in the journal") or diag explain $seen;
        is($audit->('verify')->{exit}, 0, 'which is whole');

        # the same plan again: applied once, or never
        $r = $tell->('apply', $plan);
        if ($applied) {
            is($r->{exit}, 5, 'applied again it is refused') or diag explain $r;
            like($r->{out}, qr/applied before/, 'because it was applied before');
            is(kills_since($from), $kills, 'and nobody is killed');
        }
        else {
            is($r->{exit}, 0, 'not applied yet, it is applied now') or diag explain $r;
            is(kills_since($from), 5, 'to all five');
        }

        # what nobody knows is shown
        my @unknown = map { $_->{seq} } records($audit->('list', '-o', 'json', '--unknown'));
        is(scalar @unknown, $open, "$open of unknown outcome") or diag explain $audit->('export');
        my $status = JSON::PP->new->decode($tell->('status', '-o', 'json')->{out});
        is($status->{unknown}, $open, 'as das status says');

        # a new plan for those that are left
        write_file("$dir/plans.2", '');
        if ($applied && $kills < 5) {
            $r = $tell->('run', '-i', 'db', '--plan-out', $plan, $policy);
            like($r->{out}, qr/^found @{[ 5 - $kills ]}$/m, 'those that are left are found') or diag explain $r;
            write_file("$dir/plans.2", $r->{out});
            $r = $tell->('apply', $plan);
            is($r->{exit}, 0, 'and killed, within the limits') or diag explain $r;
        }
        my $left = $db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app' AND (COMMAND <> 'Sleep' OR ID IN ("
            . "SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX))");
        is($left, 0, 'nobody is left');
        is(kills_since($from), 5, 'and nobody was killed twice');

        my $export = $audit->('export');
        my $judged = KillCheck::check(servers => { A => { match => qr/:$db->{port}\b/, log => $log, from => $from, clients => [] } },
            journal => write_file("$dir/journal", $export->{out}), plans => [ "$dir/plans", "$dir/plans.2" ],
            limits => { run => $budget, instance => $budget, window_ms => 600000 });
        is_deeply($judged->{found}, [], 'each kill has its intent, and each intent is in its plan') or diag explain $judged;

        for my $seq (@unknown) {
            is($audit->('acknowledge', $seq, 'looked into it')->{exit}, 0, "record $seq is acknowledged");
        }
        is($audit->('list', '-o', 'json', '--unknown')->{out}, '', 'and nothing is unknown any more');
        is($audit->('verify')->{exit}, 0, 'the journal is whole');
    };
}
done_testing;
