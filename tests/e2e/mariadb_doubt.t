#!/usr/bin/perl
# When it is not certain what happened, or who answers: das says so, and kills nobody on a guess.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use MariaDB;
use Herd;
use Proxy;
use Das;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my ($one, $two) = map { MariaDB->new } 1 .. 2;
for my $db ($one, $two) {
    $db->sql("CREATE USER app\@localhost; CREATE USER das\@'127.0.0.1';
        GRANT PROCESS, CONNECTION ADMIN ON *.* TO das\@'127.0.0.1'");
}
my $proxy = Proxy->new("127.0.0.1:$one->{port}");
my $url = "mysql://das\@127.0.0.1:$proxy->{port}/?read_timeout=3s";
my $print = 'for _, o in ipairs(report.outcomes) do print(o.id, o.outcome, o.note) end';

sub start_script {
    my ($lua, @args) = @_;
    my $path = "$one->{dir}/script.lua";
    open my $fh, '>', $path or die;
    print $fh $lua;
    close $fh;
    return das_start('run', '-i', $url, @args, $path);
}

my $planned = 'print("planned" .. (" "):rep(8192))';
my $plan = 'local plan = assert(das.preview{user = "app"}):plan{kill = "connection", reason = "test"}';

# --- fail-over between plan and apply: the same ids, other people's sessions ---------------------
{
    my ($here, $there) = map { Herd->new($_->{socket}) } $one, $two;
    my %id;
    for (1 .. 200) {    # until the same id is an app session on both
        my ($a, $b) = map { $_->add('app', '', '') } $here, $there;
        $id{$a} .= 'a';
        $id{$b} .= 'b';
        last if grep { $_ eq 'ab' || $_ eq 'ba' } values %id;
    }
    ok scalar(grep { length == 2 } values %id), 'the same id on both servers';
    my $run = start_script(<<"LUA", '--apply');
$plan
$planned
repeat local found = das.preview{user = "das"} until found and found.processes[1].user == "das"
    and das.preview{command = "Sleep", user = "marker"}.total_count > 0
local report = assert(plan:apply())
$print
LUA
    ok wait_for(sub { Das::so_far($run) =~ /planned/ }), 'a plan is made' or diag explain das_finish($run);
    $two->sql("CREATE USER marker\@localhost");
    my $marker = Herd->new($two->{socket});
    $marker->add('marker', '', '');
    $proxy->tell("to 127.0.0.1:$two->{port}");
    my $r = das_finish($run);
    unlike $r->{out}, qr/^\d+\tkilled/m, 'nobody is killed on another server' or diag $r->{err};
    like $r->{out}, qr/^\d+\trefused\t.*another server/m, 'the plan is refused';
    is $r->{exit}, 5, 'blocked by a guard';
    is $two->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app'"),
        $there->{count}, 'all live there';
    $proxy->tell("to 127.0.0.1:$one->{port}");
}

# --- a restart between plan and apply -------------------------------------------------------------
{
    my $herd = Herd->new($one->{socket});
    $herd->add('app', '', '');
    sleep 3;    # the start time is told in seconds
    my $run = start_script(<<"LUA", '--apply');
$plan
$planned
local failed
repeat local found = das.preview{user = "app"} failed = failed or not found until failed and found
local report = assert(plan:apply())
$print
LUA
    ok wait_for(sub { Das::so_far($run) =~ /planned/ }), 'a plan is made' or diag explain das_finish($run);
    $one->stop;
    $one->start;
    my $after = Herd->new($one->{socket});
    $after->add('app', '', '') for 1 .. 10;
    my $r = das_finish($run);
    like $r->{out}, qr/^\d+\trefused\t.*restarted/m, 'after a restart the plan is refused' or diag $r->{err};
    is $one->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app'"), 10,
        'all live';
}

# --- the connection breaks while the answer to a KILL is awaited ----------------------------------
{
    my $herd = Herd->new($one->{socket});
    my @victims = map { $herd->add('app', '', "SELECT SLEEP(600) /* $_ */") } 1 .. 3;
    $proxy->tell('drop KILL');
    my $r = das(
        'run', '-i', $url, '--apply',
        do {
            my $path = "$one->{dir}/kill.lua";
            open my $fh, '>', $path or die;
            print $fh "$plan\nlocal report = assert(plan:apply())\n$print\n";
            close $fh;
            $path;
        });
    my @unknown = $r->{out} =~ /^(\d+)\tunknown\b/mg;
    is scalar @unknown, 1, 'one outcome is unknown' or diag $r->{out}, $r->{err};
    unlike $r->{out}, qr/^\d+\tkilled/m, 'none is called killed';
    is $r->{exit}, 8, 'the exit code says that an outcome is unknown';
    ok wait_for(sub {
        $one->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app'") == 2;
    }), 'only the one whose KILL was on its way died: no reconnect, no second try';
}

done_testing;
