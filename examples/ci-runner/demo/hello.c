/* Multiplies its arguments: what the demonstration of ci-runner builds. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    long product = 1;
    for (int i = 1; i < argc; i++)
        product *= strtol(argv[i], NULL, 10);
    printf("%ld\n", product);
    return 0;
}
