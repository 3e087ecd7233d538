/* empty.c - does nothing; linked to the libraries of das, it shows what loading them costs. */
int main(void)
{
    return 0;
}
