#!/usr/bin/perl
# Property: what the server filters and what das filters is the same, for generated filters over
# sessions with nasty names. DAS_SEED=n repeats a run, DAS_FILTERS=n makes it longer.
use strict;
use warnings;
use utf8;
use lib 'tests/e2e/lib';
use Test::More;
use MariaDB;
use Herd;
use Das;

plan skip_all => MariaDB::missing() if MariaDB::missing();
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

my $seed = $ENV{DAS_SEED} || time ^ $$;
my $filters = $ENV{DAS_FILTERS} || 400;
srand $seed;
note "DAS_SEED=$seed";

# The server's own tables are utf8mb3: names end at three-byte characters; SQL text does not.
my @users = ('app', 'App', 'APP', 'a%', 'a_p', 'axp', '%', '_', "o'brien", 'q"q', 'back\\slash',
    'b\\%c', 'sp ace', 'a|b', '|', 'x||y', '[x]', 'naïve', 'NAÏVE', 'straße', 'strasse', 'ÿ', '会社', '-- x', 'x;y');
my @dbs = ('', 'orders', 'Orders', 'o_ders', 'oxders', 'o%', "d'q", 'd"q', 'd`t', 'd\\e', 'sp ace',
    'é', 'É', 'e', '数据');
my $db = MariaDB->new;
my $sql = "CREATE USER probe\@localhost; GRANT PROCESS ON *.* TO probe\@localhost;\n";
sub name { my ($n) = @_; $n =~ s/`/``/g; return "`$n`" }
for my $u (@users) {
    $sql .= "CREATE USER @{[name $u]}\@`$_`; GRANT ALL ON *.* TO @{[name $u]}\@`$_`;\n"
        for 'localhost', '127.0.0.1';
}
$sql .= "CREATE DATABASE @{[name $_]};\n" for grep { length } @dbs;
utf8::encode($sql);
$db->sql($sql);

my %herd = (socket => Herd->new($db->{socket}), tcp => Herd->new("127.0.0.1:$db->{port}"));
my @ids;
my $n = 0;
for my $round (0 .. 2) {
    for my $u (@users) {
        my $way = ($n + $round) % 2 ? 'socket' : 'tcp';
        my $text = $n % 3 == 0 ? '' : $n % 3 == 1 ? "SELECT SLEEP(3600) /* \x{1F600} O'x $n */" : 'START TRANSACTION';
        my $id = $herd{$way}->add($u, $dbs[ $n % @dbs ], $text);
        defined $id or diag "$u: $herd{$way}{error}";
        push @ids, $id;
        $n++;
    }
}
is scalar(grep { defined } @ids), 3 * @users, scalar(@ids) . ' sessions';

# --- generated filters, as Lua -----------------------------------------------------------------
sub pick { return $_[ rand @_ ] }

sub lua_string {
    my ($s) = @_;
    utf8::encode($s);
    $s =~ s/([^A-Za-z0-9 ])/sprintf '\\%03d', ord $1/ge;
    return "\"$s\"";
}

sub pattern {
    my $name = pick(@_);
    my $escaped = $name;
    $escaped =~ s/%/\\%/g;
    my $from = int rand(1 + length $name);
    return pick($name, $escaped, $escaped, substr($escaped, 0, $from) . '%', '%' . substr($escaped, $from),
        '%' . substr($name, $from, 1) . '%', uc $escaped, lc $escaped, "$name ", " $name", '%',
        substr($escaped, 0, $from) . '_' . substr($escaped, $from),
        substr($escaped, 0, $from) . '%' . substr($escaped, -1));
}

my %criterion = (
    user => sub { lua_string(pattern(@users)) },
    db => sub { lua_string(pattern(@dbs[ 1 .. $#dbs ])) },
    host => sub { lua_string(pick('localhost', 'LOCALHOST', 'local%', '127.0.0.1', '127.%', '%:%', '%1', '%:1%',
        '127.0.0.1:%', '127_0.0.1', '[::1]', '%', '%[%', 'É%')) },
    command => sub { lua_string(pick(qw(Query query SLEEP Sleep Daemon Execute))) },
    time => sub { pick(0, 0, 5000, 2147483646) },
    info => sub { lua_string(pick('select', 'SLEEP~3600', 'sleep ~ select', "o'x", "\x{1F600}", 'nope')) },
    state => sub { lua_string(pick('%sleep%', 'User sleep', '%', 'nope')) },
    id => sub { '{' . join(', ', map { pick(@ids, 1, 999999) } 0 .. rand 5) . '}' },
    trx_time => sub { pick(0, 5000) },
    rows_modified => sub { pick(0, 5) },
);
my @keys = (qw(user db host command time) x 3, sort keys %criterion);

sub table {
    return '{}' if rand() < 0.02;
    return '{all = true}' if rand() < 0.03;
    my %use = map { pick(@keys) => 1 } 0 .. rand 2.5;
    return '{' . join(', ', map { "$_ = " . $criterion{$_}->() } sort keys %use) . '}';
}

sub filter {
    my ($depth) = @_;
    my $dice = $depth ? rand : 1;
    return '~' . filter($depth - 1) if $dice < 0.25;
    return '(' . filter($depth - 1) . ' & ' . filter($depth - 1) . ')' if $dice < 0.45;
    return '(' . filter($depth - 1) . ' | ' . filter($depth - 1) . ')' if $dice < 0.65;
    return 'das.filter' . table();
}

my @filters = map { filter(4) } 1 .. $filters;
my $lua = <<'LUA' . join('', map { "check($_, " . $filters[ $_ - 1 ] . ")\n" } 1 .. @filters);
local function ids(found)
    local t = {}
    for _, s in ipairs(found.processes) do
        if s.user ~= "probe" then t[#t + 1] = s.id end -- das's own statement differs
    end
    table.sort(t)
    return table.concat(t, ",")
end
local function check(n, filter)
    local there = ids(assert(das.preview(filter)))
    local here = ids(assert(das.preview(filter, {pushdown = false})))
    print(n, there == here and "same" or "DIFFERENT", here == "" and "-" or here, there == "" and "-" or there)
end
LUA
my $r = das_script({ timeout => 300 }, $db->url('probe'), $lua);
is $r->{exit}, 0, 'the script runs' or diag $r->{err};
my @lines = map { [ split /\t/ ] } split /\n/, $r->{out};
is scalar @lines, $filters, "$filters filters";
my @bad = grep { $_->[1] ne 'same' } @lines;
is scalar @bad, 0, 'the server and das agree on all of them' or do {
    diag "DAS_SEED=$seed";
    diag "$filters[ $_->[0] - 1 ]\n  here  $_->[2]\n  there $_->[3]" for @bad[ 0 .. ($#bad < 4 ? $#bad : 4) ];
};
my $telling = grep { my $k = () = $_->[2] =~ /\d+/g; $k > 0 && $k < @ids } @lines;
cmp_ok $telling, '>', $filters / 5, "$telling filters select some sessions, but not all";

done_testing;
