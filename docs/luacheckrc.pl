#!/usr/bin/perl
# luacheckrc.pl - writes scripts/types/luacheckrc (to standard output) from `das check --names` (its
# standard input): exactly the names that a script has. `make docs` runs it.
use strict;
use warnings;
use JSON::PP;

my $globals = do { local $/; decode_json(<STDIN>) }->{globals};

# A name with fields becomes name = { fields = {...} }; any other is a string.
sub tree {
    my ($path, $indent) = @_;
    my @names = @{ $globals->{ $path eq '' ? '_G' : $path } };
    my (@plain, @deep);
    for my $name (@names) {
        my $inner = $path eq '' ? $name : "$path.$name";
        if ($inner eq 'das.params') { push @deep, "$indent$name = { other_fields = true },\n" }
        elsif ($inner ne '_G' && $globals->{$inner}) { push @deep, "$indent$name = { fields = {\n" . tree($inner, "$indent  ") . "$indent} },\n" }
        else { push @plain, "\"$name\"," }
    }
    my $text = '';
    my $line = $indent;
    for my $word (@plain) {
        if (length("$line $word") > 98) { $text .= "$line\n"; $line = $indent }
        $line .= ($line eq $indent ? '' : ' ') . $word;
    }
    return ($line eq $indent ? '' : "$text$line\n") . join '', @deep;
}

print <<"FILE";
-- luacheck's view of scripts that run inside das: exactly the names that they have. Copy it to
-- .luacheckrc beside your policies. Made from `das check --names` by `make docs`.
std = "none"
read_globals = {
@{[ tree('', '  ') =~ s/\n\z//r ]}
}
FILE
