# das - builds, checks, measures and installs. `make help` lists the targets.
#
# Variables that people set:
#   CC=clang                      another compiler
#   SAN=address,undefined         sanitizers (also SAN=thread); a build folder of its own
#   PREFIX=/usr/local DESTDIR=    where `make install` puts things
#   FUZZ_SECONDS=10               how long each fuzz target runs

PREFIX       ?= /usr/local
FUZZ_SECONDS ?= 10
SAN          ?=
BUILD        ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
comma        := ,

VERSION := 0.1.0

PKGS     := lua5.4 jansson libmariadb openssl
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes \
            -Wformat=2 -Wpointer-arith -Wcast-qual -Werror
OPT      := $(if $(SAN),-O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN),-O2 -g -D_FORTIFY_SOURCE=2)
# System headers are not ours to warn about.
PKG_CFLAGS = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS)))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))
CFLAGS   ?=
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DDAS_VERSION='"$(VERSION)"' -I. -I$(BUILD) $(PKG_CFLAGS) \
             $(WARNINGS) $(OPT) -fstack-protector-strong -fPIE -pthread $(CFLAGS)
ALL_LDFLAGS = $(if $(SAN),-fsanitize=$(SAN)) -pie -Wl,-z,relro,-z,now -Wl,--as-needed -pthread \
              $(LDFLAGS)

# Rooms, bottom first. A file in core/cli/ with a main() is the program itself.
LIB_SRC := $(wildcard core/base/*.c core/session/*.c core/source/*.c core/plan/*.c bindings/*.c) \
           $(filter-out core/cli/main.c,$(wildcard core/cli/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(BUILD)/prelude.o
LIB     := $(BUILD)/libdas.a
UNIT    := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))

all: $(BUILD)/das

$(BUILD)/das: $(BUILD)/core/cli/main.o $(LIB)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

# The prelude travels in the binary, compiled, so that a run does not parse it again.
$(BUILD)/prelude.c: scripts/prelude/das.lua
	@mkdir -p $(@D)
	luac5.4 -s -o $(BUILD)/prelude.luac $<
	{ echo '#include <stddef.h>'; \
	  echo 'extern const char das_prelude_text[];'; echo 'extern const size_t das_prelude_size;'; \
	  echo 'const char das_prelude_text[] = {'; \
	  od -An -v -tx1 $(BUILD)/prelude.luac | sed 's/ \(..\)/(char)0x\1,/g'; echo '};'; \
	  echo 'const size_t das_prelude_size = sizeof das_prelude_text;'; } >$@

$(BUILD)/prelude.o: $(BUILD)/prelude.c
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/test_%: tests/unit/test_%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(LIB) $(PKG_LIBS)

# Many client connections in one process, for tests against a real server.
$(BUILD)/tests/e2e/herd: tests/e2e/herd.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(shell pkg-config --libs libmariadb)

unit: $(UNIT)
	prove $(UNIT)

clean:
	rm -rf build compile_commands.json

-include $(LIB_OBJ:.o=.d) $(BUILD)/core/cli/main.d $(UNIT:=.d)
.PHONY: all unit clean
