#!/usr/bin/perl
# schedule.t - policies that das serve runs by itself, on real MariaDB servers: what they kill and what they only watch, a server
# that hangs while another one is looked after, das status, the end in the middle of a run, and das.lua files with mistakes.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use JSON::PP;
use Time::HiRes qw(sleep);
use Das qw(das wait_for);
use Herd;
use MariaDB;
use Serve;

plan skip_all => MariaDB::missing() if MariaDB::missing();

sub write_file { my ($path, $text) = @_; open my $out, '>', $path or die "$path: $!"; print $out $text; close $out }

# --- mistakes -------------------------------------------------------------------------------------------------
my $bad = Serve->new(instances => { orders => 'mem:tests/samples/recording.jsonl' }, start => 0);
write_file("$bad->{dir}/x.lua", 'print(1)');
sub refuses { my ($entry, $why) = @_;
    $bad->write_config(more => "policies = { { $entry } }");
    my $r = das($bad->opt, 'serve');
    is($r->{exit}, 2, "refused: $entry");
    like($r->{err}, $why, '... and says why') }
refuses('script = "y.lua", instances = { "*" }, every = "1s"', qr/policies\[1\]\.script: there is no such script: "y\.lua"/);
refuses('script = "x.lua", instances = { "order" }, every = "1s"', qr/policies\[1\]\.instances: .*did you mean "orders"/);
refuses('script = "x.lua", instances = { "*" }, cron = "* * * * mo"', qr/policies\[1\]\.cron: day of the week: expected/);
refuses('script = "x.lua", instances = { "*" }, evry = "1s"', qr/policies\[1\]: unknown key "evry"; did you mean "every"/);
like(das($bad->opt, 'status')->{err}, qr/policies\[1\]/, 'das status says so, too');

# --- two servers ----------------------------------------------------------------------------------------------
my (%db, %herd);
for my $name ('one', 'two') {
    $db{$name} = MariaDB->new;
    $db{$name}->sql('CREATE USER app@localhost, keep@localhost; CREATE USER das@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost');
    $herd{$name} = Herd->new($db{$name}{socket});
}
sub victim { my ($name, $user) = @_; return $herd{$name}->add($user // 'app', '', 'SELECT SLEEP(1000)') }
sub lives { my ($name, $id) = @_; return $db{$name}->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = $id") }

my $s = Serve->new(start => 0, instances => {
    map { $_ => "{ source = 'mysql://das\@localhost/?socket=$db{$_}{socket}', tags = { 'prod' } }" } 'one', 'two' });
my $script = 'local found, why = das.preview{ user = das.args[1], command = "Query", time = 1 }
if not found then error(why) end
if found.total_count > 0 then print(found:oldest(3):plan{ kill = "connection", reason = "too old" }:apply()) end
';
write_file("$s->{dir}/reap.lua", $script);
write_file("$s->{dir}/watch.lua", $script);
$s->write_config(more => 'policies = {
  { script = "reap.lua", args = { "app" }, instances = { "tag:prod" }, every = "1s", timeout = "1s", mode = "auto", backoff = "1s" },
  { script = "watch.lua", args = { "keep" }, instances = { "one" }, every = "1s" },
}');
my %first = map { $_ => victim($_) } 'one', 'two';
my $kept = victim('one', 'keep');
is(das($s->opt, 'status')->{exit}, 0, 'das status before anything ran');
like(das($s->opt, 'status')->{out}, qr/^policies +none is scheduled$/m, 'nothing is scheduled');
$s->start;

sub policies { my $r = das($s->opt, 'status', '-o', 'json'); die $r->{err} if $r->{exit}; return decode_json($r->{out})->{schedule} }
sub turn { my ($policy, $instance) = @_; my $all = policies() || {};
    return (grep { $_->{policy} eq $policy && $_->{instance} eq $instance } @{ $all->{policies} || [] })[0] || {} }

for my $name ('one', 'two') { ok(wait_for(sub { !lives($name, $first{$name}) }, 30), "$name: a policy ends who is too old") }
ok(wait_for(sub { (turn('watch', 'one')->{would_kill} || 0) > 0 }, 30), 'one that observes sees its victim');
is(lives('one', $kept), 1, 'and spares it');
ok(wait_for(sub { my $t = turn('reap', 'one'); ($t->{killed} || 0) == 1 && $t->{result} eq 'done' }, 30), 'das status counts it') or diag(explain(policies()));
my $t = turn('reap', 'two');
ok($t->{last} && $t->{next} && $t->{next} gt $t->{last} && $t->{mode} eq 'auto' && !$t->{failures}, 'with when it ran, when it will, and how far it may go');
is(policies()->{running} ? 1 : 0, 1, 'the server is there');
like(das($s->opt, 'status')->{out}, qr/^policies +3 scheduled, of which 0 fail; as of .*\npolicy +instance +mode +result .*\nreap +one +auto +done /m, 'the table');
my $applied = das($s->opt, 'audit', 'list', '--kind', 'apply', '-o', 'json')->{out};
like($applied, qr/das serve, policy reap/, 'the journal says who it was');
unlike($applied, qr/policy watch/, 'who only watches is not in it');
like($s->log, qr/"1 killed","fields":\{"policy":"reap","instance":"one"\}/, 'the log tells of it');

# --- only one of them -------------------------------------------------------------------------------------------
my $other = das($s->opt, 'serve', '--listen', '127.0.0.1:0');
is($other->{exit}, 1, 'a second das serve for the same policies does not start');
like($other->{err}, qr/another das serve runs the policies/, 'and says why');

# --- a server that hangs ------------------------------------------------------------------------------------------
$db{two}->signal('STOP');
ok(wait_for(sub { (turn('reap', 'two')->{failures} || 0) > 0 }, 60), 'two hangs: its run fails');
my $more = victim('one');
ok(wait_for(sub { !lives('one', $more) }, 30), 'one is looked after all the same');
is($s->ask(GET => '/readyz', undef, key => undef)->{status}, 200, 'the server is ready');
like($s->ask(GET => '/metrics', undef, key => undef)->{content}, qr/^das_policy_runs_total\{result="stuck"\} [1-9]/m, 'the metrics know that a run was given up');
like(das($s->opt, 'status')->{out}, qr/^policies .*of which 1 fails.*\n.*\nreap +two /m, 'what fails comes first');
$db{two}->signal('CONT');
my $again = victim('two');
ok(wait_for(sub { !lives('two', $again) }, 60), 'once it answers, its policy goes on') or diag(explain(policies()));
ok(wait_for(sub { my $t = turn('reap', 'two'); !$t->{failures} && !defined $t->{error} }, 30), 'and all is well');

# --- an end and a new start ----------------------------------------------------------------------------------------
my $end = $s->stop;
is($end->{exit}, 0, 'it ends');
is(policies()->{running} ? 1 : 0, 0, 'das status says that it has');
like(das($s->opt, 'status')->{out}, qr/when das serve ended/, 'in the table, too');
is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');
write_file("$s->{dir}/reap.lua", 'error("no longer")');
$s->start;
ok(wait_for(sub { (turn('reap', 'one')->{error} // '') =~ /no longer/ }, 30), 'a script that was changed runs as it is now');
is($s->stop->{exit}, 0, 'it ends again');
$s->write_config(more => '');
$s->start;
like(das($s->opt, 'status')->{out}, qr/^policies +none is scheduled$/m, 'without policies nothing of them is left');
$s->stop;

# --- the end in the middle of a run ----------------------------------------------------------------------------------
my @flock = $herd{one}->add_all(map { [ 'app', '', 'SELECT SLEEP(1000)' ] } 1 .. 30);
write_file("$s->{dir}/reap.lua", 'das.sleep(1.2)
for i = 1, 100 do
  local found = das.preview{ user = "app", command = "Query", time = 1 }
  if found.total_count == 0 then break end
  found:oldest(1):plan{ kill = "connection", reason = "one by one" }:apply()
  das.sleep(0.3)
end
');
$s->write_config(more => 'policies = { { script = "reap.lua", instances = { "one" }, every = "1s", mode = "auto" } }');
$s->start;
my $flock = join ', ', @flock;
my $left = sub { $db{one}->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID IN ($flock)") };
ok(wait_for(sub { $left->() < 29 }, 60), 'a run is in the middle of its work');
$end = $s->stop;
is($end->{exit}, 0, 'SIGTERM ends the server');
my $rest = $left->();
cmp_ok($rest, '>', 0, "$rest sessions live on: the run was ended before its next kill");
is(turn('reap', 'one')->{result}, 'cancelled', 'and is known as cancelled');
sleep 1;
is($left->(), $rest, 'nobody dies afterwards');
is(das($s->opt, 'audit', 'list', '--unknown', '-o', 'json')->{out}, '', 'nothing is unknown');
is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');

# --- a server that never answers ---------------------------------------------------------------------------------------
$s->write_config(instances => { one => "mysql://das\@localhost/?socket=$db{one}{socket}", two => "mysql://das\@localhost/?socket=$db{two}{socket}&read_timeout=1h" },
    more => 'policies = { { script = "watch.lua", args = { "keep" }, instances = { "*" }, every = "1s", timeout = "1s" } }');
$s->start;
ok(wait_for(sub { (turn('watch', 'two')->{runs} || 0) > 0 }, 30), 'it answers once');
$db{two}->signal('STOP');
ok(wait_for(sub { turn('watch', 'two')->{away} }, 30), 'then a run is given up');
is($s->stop->{exit}, 0, 'the server ends all the same');
ok(turn('watch', 'two')->{away}, 'and das status knows what was left behind');
$db{two}->signal('CONT');
done_testing();
