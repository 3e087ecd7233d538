#!/usr/bin/perl
# rooms.t - dependencies point one way, and some doors are locked. Reads the includes, nothing else.
use strict;
use warnings;
use Test::More;

my %rank = (
    'core/base' => 0, 'core/http' => 1, 'core/session' => 2, 'core/cloud' => 2, 'core/source' => 3,
    'core/store' => 3, 'core/plan' => 4, 'core/notify' => 5, 'core/approval' => 6, 'core/hook' => 6,
    'bindings' => 7, 'core/serve' => 8, 'core/replay' => 8, 'core/cli' => 9,
);
my @files = split /\n/, `git ls-files -co --exclude-standard 'core/*.[ch]' 'bindings/*.[ch]'`;
ok(@files > 40, 'the rooms hold files') or BAIL_OUT('not in a checkout?');

my (@upward, @nowhere, %includes, %text);
for my $file (@files) {
    open my $in, '<', $file or die "$file: $!";
    local $/;
    my $text = $text{$file} = <$in>;
    my ($room) = $file =~ m{^(bindings|core/\w+)/};
    while ($text =~ /^\s*#\s*include\s*([<"])([^>"]+)[>"]/mg) {
        my ($kind, $header) = ($1, $2);
        push @{ $includes{$header} }, $file;
        next if $kind eq '<';
        my ($to) = $header =~ m{^(bindings|core/\w+)/};
        push @nowhere, "$file: \"$header\"" unless defined $to && exists $rank{$to} && -e $header;
        push @upward, "$file includes $header" if defined $to && $rank{$to} > $rank{$room};
    }
}
is_deeply(\@upward, [], 'no room includes a higher one');
is_deeply(\@nowhere, [], 'every include names a room');

sub only {
    my ($header, $allowed, $why) = @_;
    my @others = grep { $_ !~ $allowed } @{ $includes{$header} || [] };
    is_deeply(\@others, [], $why);
}
only($_, qr{^bindings/}, "$_ only in bindings/") for qw(lua.h lauxlib.h lualib.h);
only('bindings/bind.h', qr{^bindings/}, 'bind.h stays in bindings/');
only('curl/curl.h', qr{^core/http/}, 'curl/curl.h only in core/http/');
only('sqlite3.h', qr{^core/store/}, 'sqlite3.h only in core/store');
only('zstd.h', qr{^core/source/}, 'zstd.h only in core/source');
only('pcre2.h', qr{^core/base/regex\.c$}, 'pcre2.h only in regex.c');
only('microhttpd.h', qr{^core/serve/httpd_impl\.h$}, 'microhttpd.h only in httpd*.c');
only('core/serve/httpd_impl.h', qr{^core/serve/httpd\w*\.[ch]$}, 'and that stays with them');
only('core/source/source_kill.h', qr{^core/(source/(source|source_impl)\.[ch]|plan/fire\.c)$},
    'source_kill.h only where a kill is done');
only('core/cloud/kill.h', qr{^core/(cloud/kill\w*\.[ch]|source/das_cloud\w*\.c|plan/act\.c)$},
    'kill.h only where the cloud is told to end sessions');
only('core/plan/act_impl.h', qr{^core/plan/act\w*\.c$}, 'act_impl.h stays with the act');
only('core/source/source_impl.h', qr{^core/source/}, 'source_impl.h stays in core/source');
only('core/session/filter_impl.h', qr{^core/session/}, 'filter_impl.h stays in core/session');
only('core/plan/plan_impl.h', qr{^core/plan/}, 'plan_impl.h stays in core/plan');

my @callers = grep { $text{$_} =~ /das_source_kill\s*\(/ && !m{^core/source/} } @files;
is_deeply(\@callers, ['core/plan/fire.c'], 'one caller of das_source_kill');

my @orders = grep { m{^core/(plan|serve|cli)/|^bindings/}
      && $text{$_} =~ /das_cloud_(kill\w*|task_(create|stop)|switch_set)\s*\(/ } @files;
is_deeply(\@orders, ['core/plan/act.c'], 'and above the sources one caller of its calls');

my @io = grep { m{^core/session/} && $text{$_} =~ /\b(fopen|fprintf|fputs|fwrite|socket|open)\s*\(/ } @files;
is_deeply(\@io, [], 'core/session does no input or output');

my @headless = grep { $text{$_} !~ m{\A/\*} } @files;
is_deeply(\@headless, [], 'every file begins with what it is for');

my @words = split /\n/, `git grep -nIE '\\b(TODO|FIXME|XXX)\\b' -- . ':!tests/project/rooms.t'`;
is_deeply(\@words, [], 'no unfinished work without an issue');

my @top = grep { !m{^(core|bindings|scripts|tests|docs|Makefile|README\.md|CHANGELOG\.md|LICENSE|\..*)$} }
    split /\n/, `git ls-files -co --exclude-standard | cut -d/ -f1 | sort -u`;
is_deeply(\@top, [], 'nothing else at the top');

done_testing();
