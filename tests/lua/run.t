#!/usr/bin/perl
# run.t - runs each tests/lua/*.lua inside das, on the sample instance, and counts its checks.
# The first line of a file may say how: -- das: --apply -i mem:tests/samples/... -- its arguments
# and the second which exit code is right: -- exit: 4
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use Das qw(das_config);

$ENV{DAS_CONFIG} = das_config();    # in which scripts may kill
my $das = $ENV{DAS} || 'build/das';
for my $file (grep { !m{/tap\.lua$} } sort glob 'tests/lua/*.lua') {
    subtest $file => sub {
        open my $in, '<', $file or die "$file: $!";
        my $want = 0;
        my $options = <$in> =~ /^-- das: (.*)/ ? $1 : '-i mem:tests/samples/recording.jsonl';
        $want = $1 if <$in> =~ /^-- exit: (\d+)/;
        my ($before, $after) = split / -- /, $options;
        my $out = `$das run $before $file ${\($after // '')} 2>&1`;
        my $code = $? >> 8;
        my $count = 0;
        for (split /\n/, $out) {
            if (/^(not )?ok \d+ - (.*)/) { ok(!$1, $2); $count++ }
            elsif (/^# (.*)/) { diag($1) }
        }
        ok($out =~ /^1\.\.(\d+)$/m && $1 == $count && $count > 0, 'ran to its end') or diag($out);
        is($code, $want, "exit $want");
    };
}
done_testing();
