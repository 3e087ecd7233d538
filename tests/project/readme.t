#!/usr/bin/perl
# readme.t - every example in README.md and docs/ runs.
#   ```lua      is a policy: run on the sample instance; or tests, where it begins with test(: run by
#               das test in a folder with policies/ and recording.jsonl
#               One that begins with return { is a das.lua, and das check can read it
#   ```console  lines that begin with "$ " are commands: each must exit 0, and what the README shows
#               below a command must be in its output, line by line
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Temp qw(tempfile tempdir);
use JSON::PP;

my $das = $ENV{DAS} || getcwd() . '/build/das';
$ENV{PATH} = dirname($das) . ":$ENV{PATH}";
$ENV{COLUMNS} = 110;
$ENV{STATE_DIRECTORY} = tempdir(CLEANUP => 1);    # the journal of the examples

sub blocks {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!";
    my (@blocks, $kind);
    while (my $line = <$in>) {
        if ($line =~ /^```(\w*)/) {
            if (defined $kind) { undef $kind }
            else { $kind = $1 || 'none'; push @blocks, { kind => $kind, line => $., text => '' } }
        }
        elsif (defined $kind) { $blocks[-1]{text} .= $line }
    }
    return @blocks;
}

# What das check says of a das.lua but for secrets that are not here. Where it names instances that
# it does not have, the page has them elsewhere.
sub refused {
    my ($text) = @_;
    $text =~ s/^return \{/return { instances = { orders = { source = "mem:x.jsonl", tags = { "prod" } } },/ if $text !~ /^  instances = /m;
    my $dir = tempdir(CLEANUP => 1);
    open my $fh, '>', "$dir/das.lua" or die;
    print $fh $text;
    close $fh;
    for my $own ($text =~ /\["(\w+\.lua)"\]/g) { open my $empty, '>', "$dir/$own" or die }    # that the reader has written
    my $said = eval { decode_json(scalar `$das check -o json $dir/das.lua 2>/dev/null`) } or return 'no answer';
    return join '', map { "$_->{message}\n" } grep { $_->{code} =~ /^(?:configuration|syntax)$/ } @{ $said->{files}[0]{findings} };
}

my $folder = tempdir(CLEANUP => 1);
symlink getcwd() . '/scripts/policies', "$folder/policies" or die;
symlink getcwd() . '/tests/samples/recording.jsonl', "$folder/recording.jsonl" or die;
for my $file ('README.md', glob('docs/*.md')) {
    my $count = 0;
    for my $block (blocks($file)) {
        my $where = "$file:$block->{line}";
        if ($block->{kind} eq 'lua') {
            if ($block->{text} =~ /^return \{/) {
                is(refused($block->{text}), '', "$where is a das.lua");
                $count++;
                next;
            }
            if ($block->{text} =~ /^test\(/m) {
                open my $fh, '>', "$folder/x_test.lua" or die;
                print $fh $block->{text};
                close $fh;
                my $out = `$das test $folder/x_test.lua 2>&1`;
                is($?, 0, "$where passes") or diag($out);
                $count++;
                next;
            }
            my ($fh, $script) = tempfile(SUFFIX => '.lua', UNLINK => 1);
            print $fh $block->{text};
            close $fh;
            my $verb = $block->{text} =~ /^local p = das\.runbook/m ? 'runbook run' : 'run';
            my $out = `$das $verb -i mem:tests/samples/recording.jsonl $script 2>&1`;
            copy($script, "$folder/long_selects.lua") if $verb ne 'run';    # which a test below it is of
            is($?, 0, "$where runs") or diag($out);
            $count++;
        }
        elsif ($block->{kind} eq 'console') {
            my @parts = split /^\$ /m, $block->{text};
            for my $part (@parts[ 1 .. $#parts ]) {
                my ($command, $shown) = split /\n/, $part, 2;
                my $out = `{ $command\n} 2>&1`;
                my $code = $? >> 8;
                my @absent = grep { /\S/ && $_ ne '...' && index($out, $_) < 0 } split /\n/, $shown // '';
                ok($code == 0 && !@absent, "$where: $command") or diag("exit $code, not shown: ", join("\n", @absent), "\ngot: $out");
                $count++;
            }
        }
    }
    ok($count, "$file has examples") if $file eq 'README.md';
    open my $in, '<', $file or die;
    my $text = do { local $/; <$in> };
    is((() = $text =~ /^```/mg) % 2, 0, "$file: each block ends");
    my $beside = dirname($file);
    my @gone = grep { !-e "$beside/$_" } $text =~ /\]\(([^)#:]+)(?:#[^)]*)?\)/g;
    is_deeply(\@gone, [], "$file: what it links to is there");
    is_deeply([ grep { !-e } $text =~ m{`((?:core|bindings|scripts)/[\w/]+\.\w+)`}g ], [], "$file: and so are the files that it names");
}
done_testing();
