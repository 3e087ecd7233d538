#!/usr/bin/perl
# Servers that stop, hang, or end our connection: an error in time, and work goes on afterwards.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use IO::Socket::INET;
use Test::More;
use MariaDB;
use Das;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my $db = MariaDB->new;
$db->sql("CREATE USER das\@localhost; GRANT PROCESS, SUPER, CONNECTION ADMIN ON *.* TO das\@localhost");

# Output to a file is written block by block: a long line gets out at once.
my $say = 'local function say(line) print(line .. (" "):rep(8192)) end';

# Previews again and again; prints a line whenever the answer is another one. Ends after the
# number of changes that it is told.
my $watch = <<"LUA";
$say
local last, changes = nil, 0
while changes < %d do
    local found, message, code = das.preview{user = "das"}
    local now = found and "ok" or "error " .. tostring(code) .. ": " .. tostring(message)
    if (now:match("^%%w+")) ~= (last and last:match("^%%w+")) then
        say(now)
        last = now
        changes = changes + 1
    end
end
LUA

sub says { my ($run, $pattern) = @_; return wait_for(sub { Das::so_far($run) =~ $pattern }) }

sub start_script {
    my ($url, $lua) = @_;
    my $path = "$db->{dir}/watch.lua";
    open my $fh, '>', $path or die;
    print $fh $lua;
    close $fh;
    return das_start('run', '-i', $url, $path);
}

# the server stops in the middle of a script and comes back
for my $signal (qw(TERM KILL)) {
    my $run = start_script($db->url('das'), sprintf $watch, 3);
    ok says($run, qr/^ok *$/m), 'a script previews' or diag explain das_finish($run);
    $db->stop($signal);
    ok says($run, qr/^error connect: /m), "the server stops ($signal): nil, message, code";
    $db->start;
    my $r = das_finish($run);
    is $r->{exit}, 0, 'and when it is back a preview works again' or diag $r->{err};
    like $r->{out}, qr/^ok *\nerror [^\n]+\nok *\n\z/, 'in this order';
}

# somebody ends das's connection between two previews
{
    my $run = start_script($db->url('das'), <<"LUA");
$say
local first = assert(das.preview{user = "das"})
local id = first.processes[1].id
say("first " .. id)
local now
repeat now = assert(das.preview{user = "das"}) until now.processes[1].id ~= id
print("then " .. now.processes[1].id .. " " .. now.total_count)
LUA
    ok says($run, qr/^first \d+ *$/m), 'a script previews' or diag explain das_finish($run);
    my ($id) = Das::so_far($run) =~ /^first (\d+)/m;
    $db->sql("KILL $id");
    my $r = das_finish($run);
    is $r->{exit}, 0, 'its connection is killed, it makes another' or diag $r->{err};
    like $r->{out}, qr/^then (?!$id )\d+ 1$/m, 'without an error in between';
}

# a listener that never says a word
{
    my $deaf = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
    my $r = das_json('mysql://das@127.0.0.1:' . $deaf->sockport . '/?connect_timeout=1', '--user', '%');
    is $r->{exit}, 1, 'a server that accepts and says nothing';
    like $r->{err}, qr/timeout/, 'is a timeout';
}

# a server that hangs while we are connected, and before that
{
    my $run = start_script($db->url('das', read_timeout => '1s', connect_timeout => '1s'),
        sprintf $watch, 3);
    ok says($run, qr/^ok *$/m), 'a script previews' or diag explain das_finish($run);
    $db->signal('STOP');
    ok says($run, qr/^error timeout: .*timeout/m), 'the server hangs: the read timeout strikes';
    my $r = das_json($db->url('das', connect_timeout => '1s'), '--user', '%');
    is $r->{exit}, 1, 'connecting to a server that hangs';
    like $r->{err}, qr/timeout/, 'is a timeout';
    $db->signal('CONT');
    $r = das_finish($run);
    is $r->{exit}, 0, 'and goes on when it wakes up' or diag $r->{err};
}

# nobody there
$db->stop;
my $r = das_json($db->url('das'), '--user', '%');
is $r->{exit}, 1, 'no server';
like $r->{err}, qr/connect/, 'is a failed connection';
unlike $r->{err}, qr/timeout/, 'not a timeout';

done_testing;
